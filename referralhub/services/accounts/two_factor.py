"""A code after the password: from the member's app, or one of the recovery codes. Any member may have it."""

import hashlib
import re
import secrets
from contextlib import suppress
from datetime import datetime

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from referralhub.database import reading, transaction
from referralhub.models import Identity, RecoveryCode, Role, User
from referralhub.services.accounts import credentials, sign_ins, totp
from referralhub.services.accounts.administration import account_named
from referralhub.services.accounts.sign_ins import Proof
from referralhub.services.shared import audit, sealing
from referralhub.services.shared.audit import OPERATOR, Actor
from referralhub.services.shared.errors import AlreadyDone, Conflict, WrongCode
from referralhub.services.shared.sealing import Unreadable

CODES = 10
ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"  # 32 that nobody takes for one another
LENGTH, GROUP = 24, 4  # 120 bits: a plain hash of one cannot be turned back (ASVS 5.0, 6.5.2)


def offer(sealed: str | None, secret_key: str) -> tuple[str, str]:
    """Return the secret that an app is to be given, sealed as it is kept and in plain; `sealed` is the one of before.

    A page that is opened again shows the same one; drawn anew is what there was not, or what cannot be read.
    """
    if sealed:
        with suppress(Unreadable):
            return sealed, sealing.unseal(sealed, secret_key)
    secret = totp.new_secret()
    return sealing.seal(secret, secret_key), secret


def switch_on(user: User, password: str, sealed: str, code: str, secret_key: str, now: datetime) -> list[str]:
    """Ask for a code from now on, and return the recovery codes, this once; other browsers are signed out.

    `sealed` is the secret, `code` proves that an app has it. One whom a provider vouches for has to come by it: else
    a stolen password would be enough to set up a second step.
    Raises WrongPassword, WrongCode, Conflict or TooManyAtOnce.
    """
    credentials.check_password(user, password)
    tied = select(Identity.id).where(Identity.user_id == user.id)
    if not (user.sign_in and user.sign_in.by_provider) and reading().scalar(tied) is not None:
        raise Conflict("provider_first")
    step = totp.step_of(sealing.unseal(sealed, secret_key), _typed(code), now)
    if step is None:
        raise WrongCode
    with transaction() as session:
        off = (User.id == user.id, User.totp_secret.is_(None))
        values = {"totp_secret": sealed, "totp_step": step}
        if session.scalar(update(User).where(*off).values(values).returning(User.id)) is None:
            raise AlreadyDone("two_factor_on")
        codes = _new_codes(session, user.id, now)
        sign_ins.end_all(session, user.id, but=user.sign_in.id if user.sign_in else None)
        credentials.tell_changed(session, user.id, "two_factor_on", now)
        _note(session, user, "member.two_factor_on", {"two_factor": False}, {"two_factor": True}, now)
    return codes


def switch_off(user: User, password: str, code: str, secret_key: str, now: datetime) -> None:
    """Let the password be enough again. Raises WrongPassword, WrongCode or TooManyAtOnce."""
    credentials.check_password(user, password)
    with transaction() as session:
        prove(session, user, code, secret_key, now)
        _forget(session, user.id)
        credentials.tell_changed(session, user.id, "two_factor_off", now)
        _note(session, user, "member.two_factor_off", {"two_factor": True}, {"two_factor": False}, now)


def take_off(username: str, reason: str, now: datetime) -> None:
    """Let the password be enough for somebody who is locked out, as the operator. Raises NotFound or AlreadyDone."""
    with transaction() as session:
        user = account_named(session, username)
        if not user.has_two_factor:
            raise AlreadyDone("two_factor_off")
        _forget(session, user.id)
        credentials.tell_changed(session, user.id, "two_factor_taken_off", now)
        states = {"two_factor": True}, {"two_factor": False}
        audit.record(session, OPERATOR, "member.two_factor_off", "member", user.id, *states, now, reason)


def renew_codes(user: User, password: str, now: datetime) -> list[str]:
    """Make new recovery codes in place of all there were. Raises WrongPassword, Conflict or TooManyAtOnce."""
    if not user.has_two_factor:
        raise Conflict("two_factor_off")
    credentials.check_password(user, password)
    with transaction() as session:
        session.execute(select(User.id).where(User.id == user.id).with_for_update())  # one set at a time
        left = _left(session, user.id)
        codes = _new_codes(session, user.id, now)
        credentials.tell_changed(session, user.id, "recovery_codes_renewed", now)
        _note(session, user, "member.recovery_codes", {"recovery_codes": left}, {"recovery_codes": CODES}, now)
    return codes


def codes_left(user_id: int) -> int:
    """Count the recovery codes that were not used. One query."""
    return _left(reading(), user_id)


def prove(session: Session, user: User, code: str, secret_key: str, now: datetime) -> None:
    """Use up a code of the app, or a recovery code; part of the caller's transaction, near its end.

    The database lets each be used once, and none of a step that is not after the latest (RFC 6238, 5.2).
    Raises WrongCode.
    """
    typed = _typed(code)
    use = _use_from_app if len(typed) == 6 else _use_recovery_code
    if not use(session, user, typed, secret_key, now):
        raise WrongCode


def proof(user: User, code: str, secret_key: str, now: datetime) -> Proof:
    """Return `prove` for a transaction that is yet to come."""
    return lambda session: prove(session, user, code, secret_key, now)


def _use_from_app(session: Session, user: User, code: str, secret_key: str, now: datetime) -> bool:
    sealed = session.scalar(select(User.totp_secret).where(User.id == user.id))
    try:
        step = totp.step_of(sealing.unseal(sealed, secret_key), code, now) if sealed else None
    except Unreadable:
        raise WrongCode("two_factor_unreadable") from None
    if step is None:
        return False
    fresh = (User.id == user.id, User.totp_secret == sealed, User.totp_step < step)
    return session.scalar(update(User).where(*fresh).values(totp_step=step).returning(User.id)) is not None


def _use_recovery_code(session: Session, user: User, code: str, _: str, now: datetime) -> bool:
    unused = (RecoveryCode.user_id == user.id, RecoveryCode.digest == _digest(code), RecoveryCode.used_at.is_(None))
    used = session.scalar(update(RecoveryCode).where(*unused).values(used_at=now).returning(RecoveryCode.id))
    if used is None:
        return False
    left = _left(session, user.id)
    credentials.tell_changed(session, user.id, "recovery_code_used", now, left=left)
    _note(session, user, "member.recovery_code", {"recovery_codes": left + 1}, {"recovery_codes": left}, now)
    return True


def _typed(code: str) -> str:
    """Return a code without what is between its parts, in the case it was given in."""
    return re.sub(r"[\s-]", "", code).lower()


def _new_codes(session: Session, user_id: int, now: datetime) -> list[str]:
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    codes = ["".join(secrets.choice(ALPHABET) for _ in range(LENGTH)) for _ in range(CODES)]
    session.add_all(RecoveryCode(user_id=user_id, digest=_digest(code), created=now) for code in codes)
    return ["-".join(code[at : at + GROUP] for at in range(0, LENGTH, GROUP)) for code in codes]


def _digest(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()


def _left(session: Session, user_id: int) -> int:
    unused = (RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_(None))
    return session.scalar(select(func.count()).select_from(RecoveryCode).where(*unused)) or 0


def _forget(session: Session, user_id: int) -> None:
    session.execute(update(User).where(User.id == user_id).values(totp_secret=None, totp_step=None))
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))


def _note(
    session: Session, user: User, action: str, before: dict[str, object], after: dict[str, object], now: datetime
) -> None:
    """Write a line where the account may run the program: that is what the audit log is about."""
    if user.is_admin:
        audit.record(session, Actor(Role.ADMIN, user.id), action, "member", user.id, before, after, now)
