"""ReferralHub as such things are often written: look first, change afterwards. For the proof that a test can fail."""

import os
import time

from sqlalchemy import select

from referralhub.database import transaction
from referralhub.models import OneTimeToken, Profile, Reason, ReasonCode, Referral, ReferralState
from referralhub.services.accounts import credentials, tokens
from referralhub.services.referrals import lifecycle, transitions
from referralhub.services.shared.audit import SYSTEM


def look_then_change(session, friend_id, now, reason):
    referral = session.scalar(select(Referral).where(Referral.friend_id == friend_id))
    if referral is None or referral.state not in (ReferralState.PENDING, ReferralState.CONFIRMED):
        return
    time.sleep(0.01)
    referral.state, referral.decided_at = ReferralState.CONFIRMED, now.replace(microsecond=0)
    session.flush()
    transitions.credit(session, referral, ReferralState.PENDING, SYSTEM, reason, now)


def settle_every_time(token, now):
    with transaction() as session:
        profile_id = session.scalar(
            select(Profile.id)
            .join(OneTimeToken, OneTimeToken.user_id == Profile.user_id)
            .where(OneTimeToken.digest == tokens._digest(token))
        )
        lifecycle.settle(session, profile_id, now, Reason(ReasonCode.ADDRESS_VERIFIED))
    return True


CARELESS_ABOUT = os.environ["CARELESS_ABOUT"].split()
if "state" in CARELESS_ABOUT:
    lifecycle.settle = look_then_change
if "token" in CARELESS_ABOUT:
    credentials.verify_address = settle_every_time

from wsgi import app  # noqa: E402 - the application is made of the careless parts

__all__ = ["app"]
