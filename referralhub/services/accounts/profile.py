"""How a member appears to others, and is spoken to."""

from datetime import datetime

from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from referralhub.database import transaction
from referralhub.models import Profile, User
from referralhub.services.ledger import leaderboard
from referralhub.services.shared import figure_changes
from referralhub.services.shared.errors import Taken
from referralhub.services.webhooks import announcing


def set_language(user_id: int, language: str | None, now: datetime) -> None:
    """Set the language in which a member is spoken to; none is what their browser asks for."""
    with transaction() as session:
        session.execute(update(User).where(User.id == user_id).values(language=language))
        figure_changes.note_member(session, user_id)
        announcing.member(session, user_id, now)


LONGEST_GREETING = 140  # characters


def set_public_profile(
    user_id: int, username: str, display_name: str, listed: bool, greeting: str, now: datetime
) -> None:
    """Set the user name, the name that others see ("" is the user name), and whether the leaderboard shows the member.

    The greeting is what friends read on the page that the member's link leads to. Raises Taken.
    """
    with transaction() as session:
        try:
            with session.begin_nested():
                session.execute(
                    update(User).where(User.id == user_id).values(username=username, display_name=display_name)
                )
        except IntegrityError:  # of the unique index on names
            raise Taken(username=True, email=False) from None
        profile_id = session.execute(
            update(Profile)
            .where(Profile.user_id == user_id)
            .values(listed=listed, greeting=greeting)
            .returning(Profile.id)
        ).scalar_one()
        leaderboard.changed(session, profile_id)
        figure_changes.note_member(session, user_id)
        announcing.member(session, user_id, now)


def set_share_text(profile_id: int, text: str) -> None:
    """Set the words with which a member shares the link; none are the operator's, or ours."""
    with transaction() as session:
        session.execute(update(Profile).where(Profile.id == profile_id).values(share_text=text))
        figure_changes.note(session, profile_id)  # the dashboard shows them
