"""Forgetting a member in what was sent, or is to be sent, to others."""

import json
from typing import Any

from sqlalchemy import Select, literal, select, union_all, update
from sqlalchemy.orm import Session

from referralhub.models import Redemption, Referral, Reward, WebhookAttempt, WebhookDelivery, WebhookMessage
from referralhub.services.webhooks.emitting import text_of

PERSONAL: dict[str, Any] = {"email": None, "name": "", "friend": "", "metadata": {}}  # and what is there instead


def forget(session: Session, user_id: int, profile_id: int) -> None:
    """Take out who a member was; part of the caller's transaction. What is still to be sent goes out without.

    The product's own number of the member stays, as long as the message: it says whom the product is to forget.
    """
    messages = session.scalars(_about(user_id, profile_id)).all()
    for message in messages:
        body = json.loads(message.body)
        message.body = text_of(body | {"data": _without(body["data"])})
    if messages:
        theirs = select(WebhookDelivery.id).where(WebhookDelivery.message_id.in_([each.id for each in messages]))
        session.execute(update(WebhookAttempt).where(WebhookAttempt.delivery_id.in_(theirs)).values(said=""))


def _about(user_id: int, profile_id: int) -> Select[WebhookMessage]:
    """Find the messages by what they are about; with an "or" all that there are would be read."""
    objects = union_all(
        select(literal("member").label("object"), literal(user_id).label("object_id")),
        select(literal("referral"), Referral.id).where(Referral.friend_id == profile_id),
        select(literal("claim"), Redemption.id).where(Redemption.profile_id == profile_id),
        select(literal("reward"), Reward.id).where(Reward.profile_id == profile_id),
    ).subquery()
    same = (WebhookMessage.object == objects.c.object) & (WebhookMessage.object_id == objects.c.object_id)
    return select(WebhookMessage).join(objects, same)


def _without(data: dict[str, Any]) -> dict[str, Any]:
    found = {name: _without(each) if name == "member" else each for name, each in data.items()}
    return found | {name: instead for name, instead in PERSONAL.items() if name in found}
