"""The brand in versions: what it can be, changing it, and how it came to be what it is."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import select
from sqlalchemy.orm import Session, defer, joinedload

from referralhub.database import insert, reading, transaction
from referralhub.models import AuditLine, Brand, Logo
from referralhub.services.brand import in_force
from referralhub.services.brand.logos import Picture
from referralhub.services.brand.palette import DEFAULT_ACCENT
from referralhub.services.mailing import addresses
from referralhub.services.shared import audit, figure_changes
from referralhub.services.shared.audit import OPERATOR, Actor
from referralhub.services.shared.errors import BadAddress, BadSetting, DomainError, StaleRules
from referralhub.services.shared.names import check_name

LONGEST = {"name": 40, "support_email": 254, "terms_url": 500, "privacy_url": 500, "sender_name": 80, "headline": 120}
DEFAULT: dict[str, Any] = {
    "name": "ReferralHub",
    "accent": DEFAULT_ACCENT,
    "support_email": None,
    "terms_url": None,
    "privacy_url": None,
    "sender_name": None,
    "headline": None,
    "logo": None,
}
OPTIONAL = DEFAULT.keys() - {"name"}  # which "none", or nothing, sets back to the default
ACCENT = re.compile(r"#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})")
SHOWN = 30  # versions of the history


@dataclass(frozen=True)
class Version:
    """One version of the brand, the one before it, and the line of the audit log that tells who made it."""

    brand: Brand
    before: Brand | None
    line: AuditLine | None


def current() -> Brand:
    """Return the highest version of the brand, as the database has it at present. One query."""
    return reading().scalars(in_force.QUERY).one()


def put_in_force(
    values: dict[str, Any], now: datetime, actor: Actor = OPERATOR, *, made_from: int | None = None
) -> tuple[Brand, bool]:
    """Make a new version of the current one with these values changed, and return whether there is one.

    Values that are in force already make none. A `logo` is a Picture, or None. `made_from` is the version that somebody
    looked at when choosing the values: StaleRules is raised when another one came in force meanwhile, unless it is what
    they wanted. Raises BadSetting. This process works with the new brand at once.
    """
    with transaction() as session:
        session.execute(select(Brand.id).where(Brand.version == 1).with_for_update(key_share=True))  # one at a time
        before = current()
        changed = changes(before, values)
        if not changed:
            return before, False
        if made_from not in {None, before.version}:
            raise StaleRules(before.version)
        picture = changed.pop("logo", before.logo)
        logo = _keep(session, picture, now) if isinstance(picture, Picture) else picture
        brand = Brand(version=before.version + 1, created=now, logo=logo, **plain(before) | changed)
        session.add(brand)
        session.flush()
        figure_changes.note(session, figure_changes.EVERYBODY)
        old, new = values_of(before), values_of(brand)
        keys = [key for key in new if old[key] != new[key]]
        old, new = ({key: each[key] for key in keys} for each in (old, new))
        audit.record(session, actor, "brand.change", "brand", brand.id, old, new, now)
    in_force.forget()
    return brand, True


def changes(before: Brand, values: dict[str, Any]) -> dict[str, Any]:
    """Return which of these values would be new. Raises BadSetting for those that cannot be."""
    checked = {key: check(key, value) for key, value in values.items()}
    now = values_of(before)
    new = {key: value.digest if isinstance(value, Picture) else value for key, value in checked.items()}
    return {key: value for key, value in checked.items() if now[key] != new[key]}


def plain(brand: Brand) -> dict[str, Any]:
    """Return what a version is, but for the logo, as plain values by name."""
    return {key: getattr(brand, key) for key in DEFAULT if key != "logo"}


def values_of(brand: Brand) -> dict[str, Any]:
    """Return the same with the logo, by the digest that names it."""
    return plain(brand) | {"logo": brand.logo.digest if brand.logo else None}


def check(key: str, value: Any) -> Any:
    """Return a value in its normal form: nothing, or "none", is the default of an optional one. Raises BadSetting."""
    if key not in DEFAULT:
        raise BadSetting(key, "setting_unknown", settings=", ".join(DEFAULT))
    if isinstance(value, Picture):
        return value
    text = (value or "").strip()
    if key in OPTIONAL and text.lower() in {"", "none"}:
        return DEFAULT[key]
    if key == "accent":
        return _accent(text)
    longest = LONGEST[key]
    if not 1 <= len(text) <= longest:
        raise BadSetting(key, "name_length", least=1, most=longest)
    if key == "support_email":
        return _address(text)
    if key in {"terms_url", "privacy_url"}:
        return _url(key, text)
    try:
        check_name(text)
    except DomainError:
        raise BadSetting(key, "text_invisible") from None
    return text


def _accent(text: str) -> str:
    found = ACCENT.fullmatch(text)
    if not found:
        raise BadSetting("accent", "accent_malformed")
    digits = found[1].lower()
    return f"#{digits if len(digits) == 6 else ''.join(2 * digit for digit in digits)}"


def _address(text: str) -> str:
    try:
        return addresses.normal(text)
    except BadAddress:
        raise BadSetting("support_email", "support_email_malformed") from None


def _url(key: str, text: str) -> str:
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises for what is no number
    except ValueError:
        raise BadSetting(key, "url_malformed") from None
    is_plain = text.isascii() and text.isprintable() and not set(text) & set(" \"'<>\\^`{|}")
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc or not is_plain:
        raise BadSetting(key, "url_malformed")
    return text


def _keep(session: Session, picture: Picture, now: datetime) -> Logo:
    """Store a picture, unless it is there from an earlier version."""
    row = {
        "digest": picture.digest, "media_type": picture.media_type, "width": picture.width, "height": picture.height,
        "content": picture.content, "created": now,
    }  # fmt: skip
    session.execute(insert(Logo).values(row).on_conflict_do_nothing())
    return session.scalars(select(Logo).where(Logo.digest == picture.digest).options(defer(Logo.content))).one()


def logo_of(digest: str) -> Logo | None:
    """Find a logo of whichever version by the digest in its address. One query."""
    return reading().scalars(select(Logo).where(Logo.digest == digest)).one_or_none()


def history(limit: int = SHOWN) -> list[Version]:
    """List the versions of the brand, the newest first. Two queries."""
    query = select(Brand).order_by(Brand.version.desc()).limit(limit + 1)
    brands = list(reading().scalars(query.options(joinedload(Brand.logo).defer(Logo.content))))
    about = (AuditLine.subject == "brand", AuditLine.subject_id.in_([brand.id for brand in brands]))
    lines = reading().scalars(select(AuditLine).where(*about).options(joinedload(AuditLine.actor)))
    by_id = {line.subject_id: line for line in lines}
    return [
        Version(brand, before, by_id.get(brand.id)) for brand, before in zip(brands, [*brands[1:], None], strict=True)
    ][:limit]
