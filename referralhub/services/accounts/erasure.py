"""Forgetting who a member was."""

from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from referralhub.database import transaction
from referralhub.models import (
    ERASED_DOMAIN,
    NO_PASSWORD,
    CustomerKind,
    Event,
    EventCustomer,
    ExternalMember,
    Identity,
    Profile,
    Program,
    RecoveryCode,
    Referral,
    User,
)
from referralhub.services.accounts import avatars, sign_ins, tokens
from referralhub.services.conversions import earning
from referralhub.services.fraud import signals
from referralhub.services.ledger import leaderboard
from referralhub.services.mailing import outbox
from referralhub.services.recourse import appeals, missing
from referralhub.services.referrals import invitation_progress
from referralhub.services.webhooks import announcing, forgetting


def erase(user_id: int, pseudonym: str, now: datetime) -> None:
    """Forget who a member was; the rows stay under the pseudonym, so that nobody's totals change.

    The account is closed, signed out everywhere, its mail is dropped, and it leaves the leaderboard. The codes that the
    member chose stay taken, and lead nowhere: whoever got one would get the friends who still have the link.
    """
    with transaction() as session:
        address = session.execute(select(User.email).where(User.id == user_id)).scalar_one()
        addresses = {each.lower() for each in (address, *outbox.earlier_addresses(session, user_id))}
        signals.remember_address(session, user_id, address, now)
        session.execute(
            update(User)
            .where(User.id == user_id)
            .values(
                username=f"gone:{user_id}",  # no form takes a colon, so that nobody has this name already
                display_name=pseudonym,
                email=f"gone:{user_id}@{ERASED_DOMAIN}",
                password_hash=NO_PASSWORD,
                is_active=False,
                is_admin=False,
                totp_secret=None,
                totp_step=None,
                muted=[],
            )
        )
        profile_id = session.execute(select(Profile.id).where(Profile.user_id == user_id)).scalar_one()
        missing.erase(session, profile_id, addresses, now)  # claims are locked before profiles, as by who decides them
        hidden = {"listed": False, "greeting": "", "share_text": "", "updated": now}
        session.execute(update(Profile).where(Profile.id == profile_id).values(hidden))
        avatars.forget(session, user_id)
        leaderboard.changed(session, profile_id)
        outbox.drop(session, user_id)
        sign_ins.end_all(session, user_id)
        tokens.forget(session, user_id)
        _forget_events(session, profile_id)
        external_id = session.scalar(select(ExternalMember.external_id).where(ExternalMember.user_id == user_id))
        for model in (RecoveryCode, Identity, ExternalMember):
            session.execute(delete(model).where(model.user_id == user_id))
        tokens.forget_addresses(session, addresses)
        invitation_progress.erase(session, profile_id, addresses)
        appeals.forget_words(session, profile_id)
        outbox.forget_addresses(session, addresses)
        signals.forget(session, profile_id)
        forgetting.forget(session, user_id, profile_id)
        announcing.member_gone(session, user_id, external_id, now)


def _forget_events(session: Session, profile_id: int) -> None:
    """Empty what a product told of the member beside what was bought, and when.

    What the program's condition asks for stays, as the credit depends on it. The digest goes, as it is one of an
    address, too; whatever is sent again under that number is taken for the same.
    """
    query = (
        select(Event.id, Event.details, Program.condition)
        .join(Referral, Referral.id == Event.referral_id)
        .join(Program, Program.id == Referral.program_id)
        .where(Referral.friend_id == profile_id)
    )
    emptied = [
        {"id": id_, "digest": "", "signup": None, "details": earning.needed(details, condition)}
        for id_, details, condition in session.execute(query)
    ]
    if emptied:
        session.execute(update(Event), emptied)
    external = select(ExternalMember.external_id).join(Profile, Profile.user_id == ExternalMember.user_id)
    theirs = (
        EventCustomer.kind == CustomerKind.PERSON,
        EventCustomer.external_id.in_(external.where(Profile.id == profile_id)),
    )
    mine = select(EventCustomer.id).where(*theirs)
    kept = update(Event).where(Event.customer_id.in_(mine), Event.referral_id.is_(None))
    session.execute(kept.values(digest="", signup=None, details={}).execution_options(synchronize_session=False))
