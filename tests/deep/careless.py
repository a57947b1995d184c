"""ReferralHub as such things are often written: look first, change afterwards. For the proof that a test can fail."""

import time

from sqlalchemy import select

from referralhub.models import Profile, Referral, ReferralState
from referralhub.services import accounts, referrals


def look_then_change(session, matching, before, after, now):
    referral = session.scalar(select(Referral).where(matching))
    if referral is None or referral.state not in (before, ReferralState.CONFIRMED):
        return None
    time.sleep(0.01)
    referral.state, referral.decided_at = after, now.replace(microsecond=0)
    session.flush()
    return referral


def settle_every_time(token, secret_key, now):
    (user_id, _) = accounts._serializer(secret_key).loads(token)
    with accounts.transaction() as session:
        profile_id = session.scalar(select(Profile.id).where(Profile.user_id == user_id))
        referrals.settle(session, profile_id, now, "address verified")
    return True


referrals._take = look_then_change
accounts.verify_address = settle_every_time

from wsgi import app  # noqa: E402 - the application is made of the careless parts

__all__ = ["app"]
