"""What a member signs in with: proving the address, changing it, and a new password."""

import secrets
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from referralhub.database import insert, reading, transaction
from referralhub.models import MessageKind, Profile, Reason, ReasonCode, ResetRequest, TokenPurpose, User
from referralhub.services.accounts import authentication, passwords, sign_ins, tokens
from referralhub.services.brand import in_force
from referralhub.services.fraud import signals
from referralhub.services.mailing import outbox
from referralhub.services.mailing.kinds import KINDS
from referralhub.services.referrals import invitation_progress, lifecycle
from referralhub.services.shared import figure_changes
from referralhub.services.shared.errors import BadLink, Taken, WrongPassword
from referralhub.services.webhooks import announcing


def ask_to_verify(session: Session, user_id: int, now: datetime, *, first: bool = False) -> bool:
    """Queue the mail that proves the address, at most one a minute; part of the caller's transaction.

    With `first` the account is new, and nothing waits that this would replace. Returns whether there is one more.
    """
    if first:
        return outbox.queue(session, MessageKind.VERIFY_ADDRESS, user_id, _key("verify", user_id, now), {}, now)
    return _queue_newest(session, MessageKind.VERIFY_ADDRESS, user_id, _key("verify", user_id, now), now)


def resend_verification(user_id: int, now: datetime) -> None:
    """Queue the mail again, at most one a minute; nothing happens where there is no address to confirm."""
    with transaction() as session:
        if session.get_one(User, user_id).must_confirm:
            ask_to_verify(session, user_id, now)


def verify_address(token: str, now: datetime) -> bool:
    """Confirm an address and, with it, the referral that waited for it; all or nothing.

    Returns whether this call did it: False means it was done before. Raises BadLink, or Taken when another account has
    proven the address since the mail was written.
    """
    with transaction() as session:
        used = tokens.use(session, TokenPurpose.VERIFY_ADDRESS, token, now)
        if used is None:
            return False
        waits = (User.id == used.user_id, User.email == used.address, User.verified_at.is_(None), User.is_active)
        try:
            first = session.scalar(update(User).where(*waits).values(verified_at=now).returning(User.id))
        except IntegrityError:
            raise Taken(username=False, email=True) from None
        if first is not None:
            profile_id = session.execute(select(Profile.id).where(Profile.user_id == used.user_id)).scalar_one()
            figure_changes.note(session, profile_id)
            lifecycle.settle(session, profile_id, now, Reason(ReasonCode.ADDRESS_VERIFIED))
            invitation_progress.note_confirmed(session, profile_id, used.address, now)
        elif not session.scalar(select(User.is_active).where(User.id == used.user_id, User.email == used.address)):
            raise BadLink  # the member has another address by now, or no open account
    return first is not None


def ask_for_reset(address: str, now: datetime) -> None:
    """Note that somebody forgot the password of the account with this address, known or not; `answer_resets` looks."""
    with transaction() as session:
        cause = session.info.get(outbox.REQUEST, "")
        asked = insert(ResetRequest).values(address=address.lower(), minute=_minute(now), request_id=cause)
        session.execute(asked.on_conflict_do_nothing())
        session.info[outbox.WAITING] = True


def answer_resets(now: datetime) -> None:
    """Queue the mail with which a forgotten password is replaced, for each who asked; an unknown address gets none."""
    with transaction() as session:
        asked = session.scalars(delete(ResetRequest).returning(ResetRequest)).all()
        for each in sorted(asked, key=lambda each: (each.minute, each.address)):
            found = authentication.owner_of(session, each.address) or authentication.claimant_of(session, each.address)
            if found and found.is_active:
                session.info[outbox.REQUEST] = each.request_id
                key = f"reset:{found.id}:{each.minute}"
                _queue_newest(session, MessageKind.RESET_PASSWORD, found.id, key, now)


def reset_password(token: str, password: str, now: datetime) -> User:
    """Set a new password by a mailed token, and sign the member out everywhere.

    The second of two clicks finds the new password set, and has nothing to do.
    Raises BadLink for a token that is unknown, too old or used; WeakPassword; TooManyAtOnce.
    """
    try:
        return _reset(token, password, now)
    except BadLink:
        used = tokens.find_used(TokenPurpose.RESET_PASSWORD, token, now)
        user = reading().get(User, used.user_id) if used else None
        if user and user.is_active and passwords.matches(user.password_hash, password):
            return user
        raise


def find_by_sign_in_token(token: str, now: datetime) -> User:
    """Return whom a link of a product signs in; the token is not used by that. Raises BadLink."""
    user = reading().get_one(User, tokens.find(TokenPurpose.SIGN_IN, token, now).user_id)
    if not can_be_signed_in_by_link(user):
        raise BadLink
    return user


def can_be_signed_in_by_link(user: User) -> bool:
    """Whether a product may let somebody in: not who runs the program, nor who asks for a second step."""
    return user.is_active and not user.is_admin and not user.has_two_factor


def use_sign_in_token(session: Session, token: str, now: datetime) -> None:
    """Use it up; part of the transaction of the sign-in. Raises BadLink where another was quicker."""
    if tokens.use(session, TokenPurpose.SIGN_IN, token, now) is None:
        raise BadLink


def used_to_sign_in(token: str, now: datetime) -> int | None:
    """Return who was signed in by it, for the second of two clicks."""
    used = tokens.find_used(TokenPurpose.SIGN_IN, token, now)
    return used.user_id if used else None


def _reset(token: str, password: str, now: datetime) -> User:
    user_id = tokens.find(TokenPurpose.RESET_PASSWORD, token, now).user_id
    user = reading().get_one(User, user_id)
    passwords.accept(password, user.username, user.email, in_force.brand().name)
    password_hash = passwords.hash_password(password)
    with transaction() as session:
        if tokens.use(session, TokenPurpose.RESET_PASSWORD, token, now) is None:
            raise BadLink
        changed = session.scalar(
            update(User).where(User.id == user_id, User.is_active).values(password_hash=password_hash).returning(User)
        )
        if changed is None:
            raise BadLink
        _after_new_password(session, user_id, None, now)
    return user


def change_password(user: User, old: str, new: str, now: datetime) -> None:
    """Set a new password for one who knows the old one, and sign the member out everywhere else.

    The second of two clicks finds the new password set, and has nothing to do.
    Raises WrongPassword, WeakPassword or TooManyAtOnce.
    """
    try:
        check_password(user, old)
    except WrongPassword:
        if passwords.matches(user.password_hash, new):
            return
        raise
    passwords.accept(new, user.username, user.email, in_force.brand().name, field="new_password")
    password_hash = passwords.hash_password(new)
    with transaction() as session:
        session.execute(update(User).where(User.id == user.id).values(password_hash=password_hash))
        _after_new_password(session, user.id, user.sign_in.id if user.sign_in else None, now)


def check_password(user: User, password: str) -> None:
    """Make sure that it is the member who sits there. Raises WrongPassword or TooManyAtOnce."""
    if not passwords.matches(user.password_hash, password):
        raise WrongPassword


def confirm_password(user: User, password: str, now: datetime) -> None:
    """Remember that the member has just shown to know the password. Raises WrongPassword or TooManyAtOnce."""
    check_password(user, password)
    if user.sign_in:
        sign_ins.confirm(user.sign_in.id, now)


def ask_to_change_address(user: User, password: str, address: str, now: datetime) -> None:
    """Mail a link to the new address; until it is used the old one stays.

    Whether the address is another account's is told by the mail alone. Raises WrongPassword or TooManyAtOnce.
    """
    check_password(user, password)
    with transaction() as session:
        key = f"address:{user.id}:{secrets.token_hex(8)}"  # a mistyped address can be corrected at once
        _queue_newest(session, MessageKind.CHANGE_ADDRESS, user.id, key, now, address=address)


def change_address(token: str, now: datetime) -> bool:
    """Take over the new address, which is confirmed by that, and notify the old one.

    Returns whether this call did it: False means it was done before. Raises BadLink, or Taken when another account has
    the address by now.
    """
    with transaction() as session:
        used = tokens.use(session, TokenPurpose.CHANGE_ADDRESS, token, now)
        if used is None:
            return False
        user = session.get_one(User, used.user_id, populate_existing=True)
        if not user.is_active:
            raise BadLink
        old, was_verified = user.email, user.verified_at is not None
        try:
            with session.begin_nested():
                user.email, user.verified_at = used.address, user.verified_at or now
        except IntegrityError:
            raise Taken(username=False, email=True) from None
        _end_all(session, user.id)
        figure_changes.note(session, user.profile.id)
        if old.lower() != used.address.lower():
            signals.remember_address(session, user.id, old, now)
            key = f"address_changed:{used.id}"
            outbox.queue(session, MessageKind.ADDRESS_CHANGED, user.id, key, {}, now, address=old)
            announcing.member(session, user.id, now)
        if not was_verified:
            lifecycle.settle(session, user.profile.id, now, Reason(ReasonCode.ADDRESS_VERIFIED))
        invitation_progress.note_confirmed(session, user.profile.id, used.address, now)
    return True


def _queue_newest(
    session: Session, kind: MessageKind, user_id: int, key: str, now: datetime, address: str | None = None
) -> bool:
    """Queue mail with a link that proves something, instead of what still waits of its kind. Return whether it was new.

    The links of before end when the new one is made; those to another address, a mistyped one say, at once.
    """
    if not outbox.queue(session, kind, user_id, key, {}, now, address=address):
        return False
    outbox.withdraw(session, user_id, kind, but=key)
    if address and (purpose := KINDS[kind].token):
        tokens.end(session, user_id, purpose)
    return True


def _end_all(session: Session, user_id: int) -> None:
    """End every link that was mailed to a member, and those that wait to be mailed."""
    for kind, what in KINDS.items():
        if what.token:
            outbox.withdraw(session, user_id, kind)
            tokens.end(session, user_id, what.token)


def tell_changed(session: Session, user_id: int, change: str, now: datetime, **values: int) -> None:
    """Queue the mail that says how the member signs in otherwise from now on; part of the caller's transaction."""
    key = f"sign_in:{user_id}:{now.isoformat()}:{secrets.token_hex(4)}"
    outbox.queue(session, MessageKind.SIGN_IN_CHANGED, user_id, key, {"change": change, **values}, now)


def _after_new_password(session: Session, user_id: int, sign_in_id: int | None, now: datetime) -> None:
    sign_ins.end_all(session, user_id, but=sign_in_id)
    # Somebody who knew the old password may have asked for another address with it.
    tokens.forget(session, user_id, TokenPurpose.CHANGE_ADDRESS)
    tokens.end(session, user_id, TokenPurpose.RESET_PASSWORD)
    outbox.withdraw(session, user_id, MessageKind.CHANGE_ADDRESS)
    outbox.queue(session, MessageKind.PASSWORD_CHANGED, user_id, f"password:{user_id}:{now.isoformat()}", {}, now)


def _key(what: str, user_id: int, now: datetime) -> str:
    return f"{what}:{user_id}:{_minute(now)}"


def _minute(now: datetime) -> int:
    return int(now.timestamp() // 60)
