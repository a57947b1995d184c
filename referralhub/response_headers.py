"""What every answer carries so that a browser protects its owner, whoever gives it: pages, files, errors, memory.

`docs/decisions/headers-at-the-outside.md` says why each is as it is.
"""

from functools import cache
from urllib.parse import urlsplit

from flask import Flask, Response, g

from referralhub.config import Settings

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
NOT_NEEDED = (  # of what a browser can do, and asks its owner about where a page wants it
    "accelerometer", "autoplay", "camera", "display-capture", "encrypted-media", "fullscreen", "geolocation",
    "gyroscope", "hid", "identity-credentials-get", "idle-detection", "local-fonts", "magnetometer", "microphone",
    "midi", "payment", "picture-in-picture", "publickey-credentials-get", "screen-wake-lock", "serial", "usb",
    "xr-spatial-tracking",
)  # fmt: skip
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",  # for browsers that do not know of frame-ancestors
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": ", ".join(f"{feature}=()" for feature in NOT_NEEDED),
    # Pages hold a member's own figures and one-time tokens: no cache may keep them.
    "Cache-Control": "no-store",
}
FOR_EVERYBODY = {"Cross-Origin-Resource-Policy": "cross-origin"}  # of what other sites show on their pages
# Of pictures that somebody uploaded: whatever one had in it, a browser that opens it by itself runs and loads nothing.
PICTURE = {"Content-Security-Policy": "default-src 'none'; sandbox"}
FORGET = {"Clear-Site-Data": '"cache"'}  # not "cookies": a browser would take those of the site's other hosts, too


def note_departures(app: Flask) -> None:
    """Let answers tell the browser what to drop where a view asks for it."""
    app.after_request(_forget)


def of(settings: Settings) -> dict[str, str]:
    """Return the headers of an installation; it promises a year of https where that is its public address."""
    if urlsplit(settings.base_url).scheme == "https":
        return HEADERS | {"Strict-Transport-Security": "max-age=31536000"}
    return HEADERS


class Protection:
    """Gives each answer those of the headers that it does not have."""

    def __init__(self, settings: Settings) -> None:
        self.headers = of(settings)
        self._lacked = cache(self._find_lacked)  # views set few different ones

    def __call__(self, headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """Return all headers of an answer that has these."""
        return headers + self._lacked(*[name for name, _ in headers])

    def _find_lacked(self, *names: str) -> list[tuple[str, str]]:
        own = {name.lower() for name in names}
        return [(name, value) for name, value in self.headers.items() if name.lower() not in own]


def forget_member() -> None:
    """Tell the browser with the answer at hand to drop what it keeps of the member: the sign-in is over."""
    g.forget_member = True


def _forget(response: Response) -> Response:
    if "forget_member" in g:
        response.headers.update(FORGET)
    return response
