"""Which mail somebody wants: a member's choices, and the one click that ends a kind of mail."""

from collections.abc import Collection
from datetime import datetime

from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from referralhub.database import insert, transaction
from referralhub.models import Invitation, MailRefusal, MessageKind, User
from referralhub.services.mailing.addresses import address_hash
from referralhub.services.mailing.kinds import news
from referralhub.services.shared import figure_changes
from referralhub.services.shared.errors import BadLink


def set_choices(user_id: int, wanted: Collection[MessageKind]) -> None:
    """Set which kinds of news a member gets by mail."""
    with transaction() as session:
        _mute(session, user_id, [kind for kind in news() if kind not in wanted])


def muting_token(user_id: int, kind: MessageKind, secret_key: str) -> str:
    """Make the token for a mail's own "no more of these"; it never ends, since mail is read late."""
    return _serializer(secret_key).dumps([user_id, kind.value])


def refusal_token(address: str, secret_key: str) -> str:
    """Make the same for an invited address; only the hash of the address is in it."""
    return _serializer(secret_key).dumps(address_hash(address))


def kind_in(token: str, secret_key: str) -> MessageKind:
    """Return which kind of mail a token would end. Raises BadLink."""
    meant = _read(token, secret_key)
    return MessageKind.INVITATION if isinstance(meant, str) else MessageKind(meant[1])


def unsubscribe(token: str, secret_key: str, now: datetime) -> None:
    """Do what a token says, however often it is asked. Raises BadLink."""
    meant = _read(token, secret_key)
    with transaction() as session:
        if isinstance(meant, str):
            session.execute(insert(MailRefusal).values(address_hash=meant, created=now).on_conflict_do_nothing())
            invited = select(Invitation.profile_id).where(Invitation.address_hash == meant)
            figure_changes.note(session, *session.scalars(invited))  # their dashboards suggest no reminder any more
            return
        user_id, kind = meant
        muted = session.scalar(select(User.muted).where(User.id == user_id).with_for_update())
        if muted is not None:
            _mute(session, user_id, sorted({*muted, kind}))


def _mute(session: Session, user_id: int, kinds: Collection[str]) -> None:
    session.execute(update(User).where(User.id == user_id).values(muted=[str(kind) for kind in kinds]))


def _read(token: str, secret_key: str) -> str | tuple[int, str]:
    try:
        meant = _serializer(secret_key).loads(token)
    except BadSignature:
        raise BadLink from None
    return meant if isinstance(meant, str) else (meant[0], meant[1])


def _serializer(secret_key: str) -> URLSafeSerializer:
    return URLSafeSerializer(secret_key, salt="unsubscribe")
