"""Who is signed in where. A session is worth something only as long as its row is here."""

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.orm import Session, contains_eager

from referralhub.database import reading, transaction
from referralhub.models import Avatar, Profile, SignIn, User
from referralhub.services.fraud import signals
from referralhub.services.fraud.signals import RequestOrigin
from referralhub.services.shared import figure_changes
from referralhub.services.shared.calendar import zone_in_force

Proof = Callable[[Session], None]  # a part of the transaction that begins a sign-in; raises what is wrong

SHOWN = 100  # a program that signs in again and again leaves many more
LONGEST = timedelta(days=90)  # after which even who comes every day types the password
SEEN_EVERY = timedelta(hours=1)  # how precisely "last seen" is kept; finer would be a write for every page


def begin(
    user: User,
    browser: str,
    origin: RequestOrigin,
    now: datetime,
    keep: Callable[[], None] = lambda: None,
    *,
    prove: Proof = lambda _: None,
    by_provider: bool = False,
    language: str | None = None,
) -> None:
    """Record that a member signs in with this browser, unless `prove` or `keep` fails.

    `prove` uses up what is asked for beside the password, in the same transaction; `keep` lets the browser's session
    know. `by_provider` says that a provider vouches for the member, and no password was typed; `language`
    is what the browser asks for.
    """
    with transaction() as session:
        signals.note(session, user.profile.id, origin, now)
        sign_in = SignIn(
            id=secrets.randbits(62),
            user_id=user.id,
            browser=browser[:60],
            by_provider=by_provider,
            confirmed_at=now,
            last_seen_at=now,
            created=now,
        )
        session.add(sign_in)
        session.flush()
        if user.browser_language != language:
            session.execute(update(User).where(User.id == user.id).values(browser_language=language))
        prove(session)
        user.sign_in = sign_in
        keep()


def member(sign_in_id: int) -> tuple[User, str] | None:
    """Return the member of a sign-in that was not ended, unless the account was switched off, and the time zone.

    One query: the program's time zone is read along for all days that the member's pages show, and which avatar is
    theirs for the menu on each.
    """
    row = reading().execute(_MEMBER, {"sign_in_id": sign_in_id}).one_or_none()
    if row is None:
        return None
    user, sign_in, zone, avatar = row
    user.sign_in, user.avatar = sign_in, avatar
    return user, zone


# Built once, as every page of a member asks.
_MEMBER = (
    select(User, SignIn, zone_in_force(), Avatar.digest)
    .join(SignIn, SignIn.user_id == User.id)
    .join(Profile, Profile.user_id == User.id)
    .outerjoin(Avatar, Avatar.profile_id == Profile.id)
    .where(SignIn.id == bindparam("sign_in_id"), User.is_active)
    .options(contains_eager(User.profile).undefer(Profile.shown_code))
)


def is_over(sign_in: SignIn, now: datetime) -> bool:
    """Return whether a sign-in is so old that it counts no more."""
    return sign_in.created + LONGEST <= now


def due(sign_in: SignIn) -> datetime:
    """Return when it is to be noted again that the member was here."""
    return sign_in.last_seen_at + SEEN_EVERY


def note_seen(user: User, origin: RequestOrigin, now: datetime) -> bool:
    """Remember that a member was here; at most once an hour is it written. Returns whether it was."""
    here = user.sign_in
    if here is None or now < due(here):
        return False
    with transaction() as session:
        signals.note(session, user.profile.id, origin, now)
        session.execute(update(User).where(User.id == user.id).values(last_seen_at=now))
        if user.profile.referred_by_id:  # an active friend, perhaps again
            figure_changes.note(session, user.profile.referred_by_id)
        session.execute(update(SignIn).where(SignIn.id == here.id).values(last_seen_at=now))
    return True


def confirm(sign_in_id: int, now: datetime) -> None:
    """Remember that the member has just typed the password again."""
    with transaction() as session:
        session.execute(update(SignIn).where(SignIn.id == sign_in_id).values(confirmed_at=now))


def of_member(user_id: int) -> list[SignIn]:
    """List where a member is signed in, the latest first, at most SHOWN of them."""
    query = select(SignIn).where(SignIn.user_id == user_id).order_by(SignIn.last_seen_at.desc(), SignIn.created.desc())
    return list(reading().scalars(query.limit(SHOWN)))


def end_one(user_id: int, sign_in_id: int) -> None:
    """Sign a member out in one browser; somebody else's is left alone."""
    with transaction() as session:
        session.execute(delete(SignIn).where(SignIn.id == sign_in_id, SignIn.user_id == user_id))
        _note_ended(session, user_id)


def end_others(user_id: int, sign_in_id: int) -> None:
    """Sign a member out everywhere but in one browser."""
    with transaction() as session:
        end_all(session, user_id, but=sign_in_id)


def end_all(session: Session, user_id: int, but: int | None = None) -> None:
    """Sign a member out everywhere, but for one; part of the caller's transaction."""
    query = delete(SignIn).where(SignIn.user_id == user_id)
    session.execute(query if but is None else query.where(SignIn.id != but))
    _note_ended(session, user_id)


def _note_ended(session: Session, user_id: int) -> None:
    """Let nothing that is kept be shown there any more."""
    figure_changes.note_member(session, user_id)


def tidy(now: datetime, lifetime: timedelta) -> None:
    """Delete the rows whose session in Redis has ended long ago."""
    with transaction() as session:
        session.execute(delete(SignIn).where(SignIn.last_seen_at < now - lifetime))
