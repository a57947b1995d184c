"""What other rooms say has happened; each is a part of their transaction, and costs one query where nobody is told."""

from collections.abc import Collection
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session, SessionTransaction

from referralhub.models import Badge, Profile, ReferralState, RewardState, WebhookType
from referralhub.services.webhooks import states
from referralhub.services.webhooks.emitting import emit, is_wanted

CONVERSIONS = "conversions_to_tell"  # in session.info: those that this transaction made or changed
OF_REFERRAL = {
    ReferralState.PENDING: WebhookType.REFERRAL_CREATED,
    ReferralState.CONFIRMED: WebhookType.REFERRAL_CONFIRMED,
    ReferralState.HELD: WebhookType.REFERRAL_HELD,
    ReferralState.REJECTED: WebhookType.REFERRAL_REJECTED,
    ReferralState.REVERSED: WebhookType.REFERRAL_REVERSED,
    ReferralState.EXPIRED: WebhookType.REFERRAL_EXPIRED,
}
OF_REWARD = {
    RewardState.DUE: WebhookType.REWARD_DUE,
    RewardState.FULFILLED: WebhookType.REWARD_FULFILLED,
    RewardState.FAILED: WebhookType.REWARD_FAILED,
    RewardState.WITHDRAWN: WebhookType.REWARD_WITHDRAWN,
}


class Noted(NamedTuple):
    """A conversion that is new or has changed, when, and in which part of the transaction that can be undone alone."""

    id: int
    is_new: bool
    now: datetime
    part: SessionTransaction | None


def member(session: Session, user_id: int, now: datetime, *, created: bool = False) -> None:
    """Tell that a member is new, or that something that the API shows of one has changed."""
    type_ = WebhookType.MEMBER_CREATED if created else WebhookType.MEMBER_UPDATED
    key = f"{type_}:{user_id}" if created else ""
    emit(session, type_, "member", user_id, lambda at_work: states.member(at_work, user_id), now, key=key)


def member_of(session: Session, profile_id: int, now: datetime) -> None:
    """Tell that a member has changed, by the number of the profile."""
    _about(session, WebhookType.MEMBER_UPDATED, profile_id, {}, now)


def member_gone(session: Session, user_id: int, external_id: str | None, now: datetime) -> None:
    """Tell that a member has deleted the account; the product's own number says whom it is to forget, too."""

    def read(at_work: Session) -> dict[str, Any]:
        return states.member(at_work, user_id) | {"external_id": external_id, "email": None, "name": ""}

    emit(session, WebhookType.MEMBER_UPDATED, "member", user_id, read, now)


def referral(session: Session, referral_id: int, state: ReferralState, now: datetime) -> None:
    """Tell that a referral has come into this state, some of which it comes into more than once."""
    emit(
        session, OF_REFERRAL[state], "referral", referral_id, lambda at_work: states.referral(at_work, referral_id), now
    )


def note_conversions(session: Session, new: Collection[int], changed: Collection[int], now: datetime) -> None:
    """Note which conversions are new, and of which others what they earn has changed, to be told before the commit."""
    part = session.get_nested_transaction()
    noted: list[Noted] = session.info.setdefault(CONVERSIONS, [])
    noted += [Noted(each, is_new, now, part) for is_new, ids in ((True, new), (False, changed)) for each in ids]


def conversions(session: Session) -> None:
    """Tell of each conversion that the transaction made or changed: once, as it is in the end. See `commits.py`."""
    noted: list[Noted] = session.info.pop(CONVERSIONS, [])
    moments = {each.id: each.now for each in noted}
    new = {each.id for each in noted if each.is_new}
    for type_, ids in ((WebhookType.CONVERSION_CREATED, new), (WebhookType.CONVERSION_CHANGED, moments.keys() - new)):
        if ids and is_wanted(session, type_):
            for each in sorted(ids):
                key = f"{type_}:{each}" if type_ is WebhookType.CONVERSION_CREATED else ""
                read = partial(states.conversion, conversion_id=each)
                emit(session, type_, "conversion", each, read, moments[each], key=key)


def forget_conversions(session: Session, undone: SessionTransaction) -> None:
    """Forget what was noted in a part of the transaction that was undone, and in the parts of that."""

    def is_undone(part: SessionTransaction | None) -> bool:
        return part is not None and (part is undone or is_undone(part.parent))

    if noted := session.info.get(CONVERSIONS):
        session.info[CONVERSIONS] = [each for each in noted if not is_undone(each.part)]


def reward(session: Session, reward_id: int, state: RewardState, now: datetime) -> None:
    """Tell that a reward has come into this state; one that failed may be due, and fail, again."""
    emit(session, OF_REWARD[state], "reward", reward_id, lambda at_work: states.reward(at_work, reward_id), now)


def tier(session: Session, profile_id: int, name: str, now: datetime) -> None:
    """Tell that a member has reached a tier."""
    _about(session, WebhookType.TIER_REACHED, profile_id, {"tier": name}, now)


def badge(session: Session, profile_id: int, earned: Badge, now: datetime) -> None:
    """Tell that a member has earned a badge."""
    _about(session, WebhookType.BADGE_EARNED, profile_id, {"badge": earned.value}, now)


def claim(session: Session, claim_id: int, now: datetime) -> None:
    """Tell that a member has claimed a perk."""
    type_ = WebhookType.PERK_CLAIMED
    key = f"{type_}:{claim_id}"
    emit(session, type_, "claim", claim_id, lambda at_work: states.claim(at_work, claim_id), now, key=key)


def _about(session: Session, type_: WebhookType, profile_id: int, more: dict[str, str], now: datetime) -> None:
    """Tell something of a member: the state as ever, and `more`."""
    if not is_wanted(session, type_):
        return
    user_id = session.execute(select(Profile.user_id).where(Profile.id == profile_id)).scalar_one()
    emit(session, type_, "member", user_id, lambda at_work: states.member(at_work, user_id) | more, now)
