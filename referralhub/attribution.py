"""Which link this visitor followed: kept in the session from the click to the signup."""

from datetime import datetime

from flask import session

from referralhub import sessions
from referralhub.models import Channel
from referralhub.services.referrals import Attribution

KEY = "referral"


def remember(attribution: Attribution) -> bool:
    """Keep the link in the session and say whether this browser is new to it today.

    The session is in Redis when this returns, so that no visit is counted that was not remembered.
    Raises RedisError.
    """
    before = recall()
    session[KEY] = {
        "code": attribution.code,
        "channel": attribution.channel.value,
        "at": attribution.visited_at.isoformat(),
        "invitation": attribution.invitation_id,
    }
    sessions.store_now()
    return not (
        before and before.code == attribution.code and before.visited_at.date() == attribution.visited_at.date()
    )


def recall() -> Attribution | None:
    """Give the link that led this visitor here, if one did."""
    kept = session.get(KEY)
    if not kept:
        return None
    at = datetime.fromisoformat(kept["at"])
    return Attribution(kept["code"], Channel(kept["channel"]), at, kept.get("invitation"))


def forget() -> None:
    """Drop it: it has done its work."""
    session.pop(KEY, None)
