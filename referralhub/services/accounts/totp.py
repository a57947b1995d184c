"""Codes from an app that change every 30 seconds (TOTP, RFC 6238), as all such apps make them: SHA-1, six digits."""

import base64
import secrets
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.twofactor.totp import TOTP

STEP = 30  # seconds
DRIFT = (0, -1, 1)  # steps by which a phone's clock may differ, or a person be slow (RFC 6238, 5.2)


def new_secret() -> str:
    """Draw what an app and we both know: 160 bits (RFC 4226, 4), in base32 as apps take it."""
    return base64.b32encode(secrets.token_bytes(20)).decode()


def address(secret: str, account: str, issuer: str) -> str:
    """Return what the QR code says."""
    return _generator(secret).get_provisioning_uri(account, issuer)


def code_at(secret: str, moment: datetime) -> str:
    """Return the code that an app shows at a moment."""
    return _generator(secret).generate(int(moment.timestamp())).decode()


def step_of(secret: str, code: str, now: datetime) -> int | None:
    """Return the time step whose code this is, counted since 1970; None for a wrong code or one of another time."""
    present = int(now.timestamp()) // STEP
    generator = _generator(secret)
    steps = (present + drift for drift in DRIFT)
    return next(
        (each for each in steps if secrets.compare_digest(generator.generate(each * STEP), code.encode())), None
    )


def _generator(secret: str) -> "TOTP":
    # Loaded by the first who needs them; most processes never do.
    from cryptography.hazmat.primitives.hashes import SHA1  # noqa: PLC0415 - as said
    from cryptography.hazmat.primitives.twofactor.totp import TOTP  # noqa: PLC0415 - as said

    return TOTP(base64.b32decode(secret), 6, SHA1(), STEP)  # noqa: S303 - what apps know; HMAC needs no collisions
