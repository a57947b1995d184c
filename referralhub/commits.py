"""What happens around each commit.

Before it products are told of conversions, and what is to be handed over follows the ledger: both after the audit log
was written, whose lock everybody takes before those of what they tell. Redis hears whose figures change.
"""

from flask import current_app, has_request_context
from sqlalchemy import event
from sqlalchemy.orm import Session, SessionTransaction

from referralhub.extensions import db
from referralhub.services.fulfilment import due
from referralhub.services.ledger import entries
from referralhub.services.shared import figure_changes
from referralhub.services.webhooks import announcing


@event.listens_for(db.session, "before_commit")
def tell_of_conversions(session: Session) -> None:
    """Tell once of what the whole transaction made of each: a signup that lets a sale count changes it at once."""
    if not session.in_nested_transaction():
        announcing.conversions(session)


@event.listens_for(db.session, "before_commit")
def follow_the_ledger(session: Session) -> None:
    """Let what is due follow from what the whole transaction wrote into the ledger, so that nobody forgets it."""
    if not session.in_nested_transaction():
        due.refresh_changed(session)


@event.listens_for(db.session, "before_commit")
def announce(session: Session) -> None:
    """Announce the changes of the whole transaction, and not those of a part that may be undone by itself.

    A page that finds Redis gone just then does nothing at all: its visitor would be told that nothing is done.
    """
    if not session.in_nested_transaction():
        figure_changes.announce(current_app.extensions["redis"], session, must_hear=has_request_context())


@event.listens_for(db.session, "after_commit")
def settle(session: Session) -> None:
    """Let the figures be computed anew."""
    if not session.in_nested_transaction():
        figure_changes.settle(current_app.extensions["redis"], session, committed=True)


@event.listens_for(db.session, "after_rollback")
def call_off(session: Session) -> None:
    """Nothing has changed after all."""
    if not session.in_nested_transaction():
        session.info.pop(entries.CHANGED, None)
        session.info.pop(announcing.CONVERSIONS, None)
        figure_changes.settle(current_app.extensions["redis"], session, committed=False)


@event.listens_for(db.session, "after_soft_rollback")
def call_off_a_part(session: Session, undone: SessionTransaction) -> None:
    """Nothing of this part has changed after all."""
    if undone.nested:
        announcing.forget_conversions(session, undone)
