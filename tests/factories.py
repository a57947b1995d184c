"""Members made in bulk, for tests that are about figures and not about signing up."""

from collections.abc import Iterable
from datetime import datetime
from itertools import count

from flask import Flask

from referralhub.extensions import db
from referralhub.models import (
    NO_PASSWORD,
    Channel,
    Profile,
    Reason,
    Referral,
    ReferralEvent,
    ReferralState,
    RewardKind,
    Unit,
    User,
)
from referralhub.services.ledger import badges, entries, leaderboard
from referralhub.services.shared import codes, figure_changes

_numbers = count()


def member(app: Flask, username: str, joined: datetime) -> None:
    """Make one member who cannot sign in."""
    members(app, [username], joined)


def members(app: Flask, usernames: Iterable[str], joined: datetime) -> None:
    """Make members who cannot sign in."""
    with app.app_context():
        db.session.add_all([_profile(_user(username, joined), None, joined) for username in usernames])
        db.session.commit()


def befriend(
    app: Flask,
    referrer: str,
    number: int,
    when: datetime,
    state: ReferralState = ReferralState.CONFIRMED,
    channel: Channel = Channel.LINK,
) -> list[str]:
    """Let this many friends have joined by somebody's link at that moment; gives their names."""
    names = [f"friend{next(_numbers)}" for _ in range(number)]
    confirmed = state is ReferralState.CONFIRMED
    with app.app_context():
        profile = db.session.scalars(
            db.select(Profile).join(User, User.id == Profile.user_id).where(User.username == referrer)
        ).one()
        friends = [_profile(_user(name, when), profile.id, when) for name in names]
        db.session.add_all(friends)
        db.session.flush()
        referrals = [
            Referral(
                referrer_id=profile.id, friend_id=friend.id, program_id=1, state=state, channel=channel,
                visited_at=when, created=when, decided_at=None if state is ReferralState.PENDING else when,
            )
            for friend in friends
        ]  # fmt: skip
        db.session.add_all(referrals)
        db.session.flush()
        for referral in referrals:
            db.session.add(
                ReferralEvent(
                    referral_id=referral.id,
                    from_state=None,
                    to_state=state,
                    reason=Reason.stated("made"),
                    evidence={"given": {"referrer": 10, "friend": 0}},
                    created=when,
                )
            )
            if confirmed:
                entries.post(
                    db.session(), profile.id, RewardKind.REFERRER, 10, Unit.POINTS, when, referral_id=referral.id
                )
        if confirmed and number:
            profile.referral_count += number
            profile.last_confirmed_at = max(when, profile.last_confirmed_at or when)
            badges.adjust(db.session(), profile.id, profile.referral_count, when)
            leaderboard.changed(db.session(), profile.id)
        figure_changes.note(db.session(), profile.id)
        db.session.commit()
    return names


def _user(username: str, joined: datetime) -> int:
    user = User(
        username=username, email=f"{username}@example.com", password_hash=NO_PASSWORD, is_admin=False,
        is_active=True, verified_at=joined, last_seen_at=joined, created=joined,
    )  # fmt: skip
    db.session.add(user)
    db.session.flush()
    return user.id


def _profile(user_id: int, referred_by_id: int | None, joined: datetime) -> Profile:
    return Profile(
        user_id=user_id, code=codes.new_code(), referred_by_id=referred_by_id, referral_count=0, listed=True,
        created=joined, updated=joined,
    )  # fmt: skip
