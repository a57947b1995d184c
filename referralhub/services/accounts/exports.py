"""Everything that is held about a member, for the member to take along."""

import io
import json
import zipfile
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import aliased

from referralhub.database import reading
from referralhub.models import (
    Appeal,
    Avatar,
    BadgeAward,
    Coupon,
    CustomerKind,
    Event,
    EventCustomer,
    ExternalMember,
    Identity,
    Invitation,
    OutboxMessage,
    OwnCode,
    Perk,
    Profile,
    RecoveryCode,
    Redemption,
    Referral,
    ReferralClaim,
    ReferralEvent,
    Reward,
    RewardEntry,
    Sighting,
    SignIn,
    SignupFacts,
    User,
    VisitDaily,
    known_address,
)
from referralhub.services.shared.csv import BYTE_ORDER_MARK, csv_text
from referralhub.services.shared.currencies import major
from referralhub.services.shared.names import shown_name

Rows = list[dict[str, Any]]


def everything_about(user: User) -> dict[str, Rows]:
    """Read a member's rows, table by table, in plain values; other people appear by their shown name only."""
    profile_id = user.profile.id
    friend, friend_user = aliased(Profile), aliased(User)
    account = select(
        User.username, User.display_name, User.email, User.verified_at, User.last_seen_at, User.created, User.muted,
        User.language, User.browser_language,
        Profile.code, Profile.referral_count, Profile.listed, Profile.greeting, Profile.share_text,
        shown_name(friend_user).label("referred_by"),
    ).join(Profile, Profile.user_id == User.id).outerjoin(friend, friend.id == Profile.referred_by_id).outerjoin(
        friend_user, friend_user.id == friend.user_id
    ).where(User.id == user.id)  # fmt: skip
    referrals = (
        select(
            Referral.id, shown_name(User).label("friend"), Referral.state, Referral.channel,
            Referral.visited_at, Referral.created, Referral.decided_at,
        )
        .join(Profile, Profile.id == Referral.friend_id)
        .join(User, User.id == Profile.user_id)
        .where(Referral.referrer_id == profile_id)
        .order_by(Referral.id)
    )  # fmt: skip
    trail = (
        select(
            ReferralEvent.referral_id, ReferralEvent.from_state, ReferralEvent.to_state,
            ReferralEvent.reason_code.label("reason"),
            ReferralEvent.reason_values,
            ReferralEvent.created,
        )
        .join(Referral, Referral.id == ReferralEvent.referral_id)
        .where((Referral.referrer_id == profile_id) | (Referral.friend_id == profile_id))
        .order_by(ReferralEvent.id)
    )  # fmt: skip
    ledger = (
        select(
            RewardEntry.number, RewardEntry.unit, RewardEntry.kind, RewardEntry.amount, RewardEntry.balance,
            RewardEntry.referral_id, RewardEntry.note, RewardEntry.available_at, RewardEntry.created,
        )
        .where(RewardEntry.profile_id == profile_id)
        .order_by(RewardEntry.id)
    )  # fmt: skip
    # Looked up for each: a join for many reads all that there are.
    appeal = select(Appeal.words).where(Appeal.referral_id == Referral.id).scalar_subquery()
    coupon = select(Coupon.code).where(Coupon.redemption_id == Redemption.id).scalar_subquery()
    perks = (
        select(Perk.name, coupon.label("code"), Redemption.created, Redemption.fulfilled_at)
        .join(Perk, Perk.id == Redemption.perk_id)
        .where(Redemption.profile_id == profile_id)
        .order_by(Redemption.id)
    )
    product_number = select(ExternalMember.external_id).where(ExternalMember.user_id == user.id).scalar_subquery()
    return {
        "account": [row | {"email": known_address(user.email)} for row in _rows(account)],
        "own_codes": _rows(
            select(OwnCode.code, OwnCode.created).where(OwnCode.profile_id == profile_id).order_by(OwnCode.month)
        ),
        "avatar": _rows(select(Avatar.digest, Avatar.created).where(Avatar.profile_id == profile_id)),
        "referrals": _rows(referrals),
        "trail": _rows(trail),
        "ledger": _rows(ledger),
        "rewards": _rows(
            select(
                Reward.amount,
                Reward.unit,
                Reward.state,
                Reward.reference,
                Reward.reason,
                Reward.created,
                Reward.changed,
            )
            .where(Reward.profile_id == profile_id)
            .order_by(Reward.id)
        ),
        "badges": _rows(select(BadgeAward.badge, BadgeAward.created).where(BadgeAward.profile_id == profile_id)),
        "perks": _rows(perks),
        "visits": _rows(
            select(VisitDaily.day, VisitDaily.channel, VisitDaily.visits, VisitDaily.visitors)
            .where(VisitDaily.profile_id == profile_id)
            .order_by(VisitDaily.day, VisitDaily.channel)
        ),
        "invitations": _rows(
            select(Invitation.address, Invitation.words, Invitation.state, Invitation.created, Invitation.changed)
            .where(Invitation.profile_id == profile_id)
            .order_by(Invitation.id)
        ),
        "claims": _rows(
            select(
                ReferralClaim.address,
                ReferralClaim.joined_on,
                ReferralClaim.channel,
                ReferralClaim.words,
                ReferralClaim.state,
                ReferralClaim.reason,
                ReferralClaim.created,
                ReferralClaim.changed,
            )
            .where(ReferralClaim.claimant_id == profile_id)
            .order_by(ReferralClaim.id)
        ),
        # Who claims, and what they wrote, is theirs.
        "claims_about_me": _rows(
            select(ReferralClaim.state, ReferralClaim.created)
            .where(ReferralClaim.friend_id == profile_id)
            .order_by(ReferralClaim.id)
        ),
        "appeals": _rows(
            select(Referral.id.label("referral_id"), appeal.label("words"))
            .where(Referral.referrer_id == profile_id, appeal.is_not(None))
            .order_by(Referral.id)
        ),
        "events": _rows(
            select(
                Event.own_id.label("id"),
                Event.product,
                Event.type,
                Event.amount,
                Event.currency,
                Event.refund_of,
                Event.details.label("metadata"),
                Event.state,
                Event.reason_code.label("reason"),
                Event.occurred_at,
                Event.created,
            )
            .join(EventCustomer, EventCustomer.id == Event.customer_id)
            .where(EventCustomer.external_id == product_number, EventCustomer.kind == CustomerKind.PERSON)
            .order_by(Event.id)
        ),
        "mail": _rows(
            select(OutboxMessage.kind, OutboxMessage.created, OutboxMessage.delivered_at)
            .where(OutboxMessage.user_id == user.id)
            .order_by(OutboxMessage.id)
        ),
        "sightings": _rows(
            select(Sighting.network, Sighting.agent, Sighting.created, SignupFacts.seconds.label("signup_seconds"))
            .outerjoin(SignupFacts, SignupFacts.sighting_id == Sighting.id)
            .where(Sighting.profile_id == profile_id)
            .order_by(Sighting.id)
        ),
        "sign_ins": _rows(select(SignIn.browser, SignIn.created, SignIn.last_seen_at).where(SignIn.user_id == user.id)),
        "recovery_codes": _rows(
            select(RecoveryCode.created, RecoveryCode.used_at)
            .where(RecoveryCode.user_id == user.id)
            .order_by(RecoveryCode.id)
        ),
        "identities": _rows(
            select(Identity.issuer, Identity.subject, Identity.created).where(Identity.user_id == user.id)
        ),
    }


def archive(user: User, now: datetime) -> bytes:
    """Pack it as a zip: one JSON file with all of it, a CSV file for each table, and the avatar as a picture.

    Amounts are in their smallest unit in JSON, as everywhere for programs, and as people count them in CSV.
    """
    tables = everything_about(user)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as pack:
        whole = {"made_at": now.isoformat(), **tables}
        pack.writestr("everything.json", json.dumps(whole, indent=2, ensure_ascii=False, default=_plain))
        for name, rows in tables.items():
            if rows:
                pack.writestr(f"{name}.csv", BYTE_ORDER_MARK + csv_text([_counted(row) for row in rows]))
        if avatar := reading().scalar(select(Avatar.content).where(Avatar.profile_id == user.profile.id)):
            pack.writestr("avatar.webp", avatar)
    return out.getvalue()


def _rows(query: Select[*tuple[Any, ...]]) -> Rows:
    return [dict(row._mapping) for row in reading().execute(query)]


def _counted(row: dict[str, Any]) -> dict[str, Any]:
    if "unit" not in row:
        return row
    return row | {name: major(row[name], row["unit"]) for name in ("amount", "balance") if name in row}


def _plain(value: Any) -> str:
    return str(value.isoformat() if hasattr(value, "isoformat") else value)
