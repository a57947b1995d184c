"""Avatars: of a picture that a member uploads a small square is kept, which we wrote ourselves.

It is a WebP file, a tenth of a PNG: the page that a link leads to is opened on phones, away from home.
"""

import hashlib
from datetime import datetime
from threading import Lock

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from referralhub.database import insert, reading, transaction
from referralhub.models import Avatar, Profile, User
from referralhub.services.shared import figure_changes, pixels
from referralhub.services.shared.errors import BadSetting

MOST = 2 * 1024 * 1024  # bytes of an uploaded file
MOST_PIXELS = 16_000_000
SIDE = 256  # pixels: the largest that it is shown, on screens with two pixels for one
QUALITY = 85

_alone = Lock()  # a large picture takes a hundred megabytes while it is made small: one at a time


def clean(file: bytes) -> bytes:
    """Make an avatar of an uploaded PNG, JPEG or WebP file: its middle, upright. Raises BadSetting."""
    if not file:
        raise BadSetting("picture", "picture_empty")
    if len(file) > MOST:
        raise BadSetting("picture", "picture_too_heavy", most=MOST // 1024 // 1024)
    if pixels.kind_of(file) is None:
        raise BadSetting("picture", "picture_of_another_kind")
    with _alone:
        picture = pixels.upright(pixels.decode(file, "picture", MOST_PIXELS, needed=2 * SIDE))
        side = min(picture.size)
        left, top = (picture.width - side) // 2, (picture.height - side) // 2
        square = pixels.plain(picture.crop((left, top, left + side, top + side))).resize((SIDE, SIDE), reducing_gap=3.0)
        return pixels.written(square, "WEBP", quality=QUALITY)


def put_up(user_id: int, avatar: bytes, now: datetime) -> None:
    """Show a member by this avatar from now on."""
    with transaction() as session:
        active = select(User.id).where(User.id == user_id, User.is_active).with_for_update(key_share=True)
        if session.scalar(active) is None:  # erased in another browser meanwhile: nothing of them is to be kept
            return
        profile_id = session.execute(select(Profile.id).where(Profile.user_id == user_id)).scalar_one()
        values = {"digest": hashlib.sha256(avatar).hexdigest(), "content": avatar, "created": now}
        put = insert(Avatar).values(profile_id=profile_id, **values)
        session.execute(put.on_conflict_do_update(index_elements=["profile_id"], set_=values))
        figure_changes.note_member(session, user_id)


def take_down(user_id: int) -> None:
    """Show a member by the first letter of their name again."""
    with transaction() as session:
        forget(session, user_id)
        figure_changes.note_member(session, user_id)


def forget(session: Session, user_id: int) -> bool:
    """Delete a member's avatar, and return whether there was one; part of the caller's transaction."""
    profile_id = select(Profile.id).where(Profile.user_id == user_id).scalar_subquery()
    gone = session.execute(delete(Avatar).where(Avatar.profile_id == profile_id).returning(Avatar.digest))
    return gone.first() is not None


def find(digest: str) -> bytes | None:
    """Find somebody's present avatar by the digest in its address. One query."""
    return reading().scalar(select(Avatar.content).where(Avatar.digest == digest).limit(1))
