"""Whether a form may be believed, and whose address a request came from."""

import logging
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from flask import Flask, abort, current_app, g, request
from flask_wtf.csrf import CSRFError, CSRFProtect, generate_csrf
from itsdangerous import URLSafeTimedSerializer

from referralhub.config import Settings
from referralhub.sessions import contents

log = logging.getLogger(__name__)

ELSEWHERE = "The form was on a page of another site."
REFUSALS = {  # what Flask-WTF and we say when we refuse a form, in a word for the log
    "The CSRF token is missing.": "no_token",
    "The CSRF session token is missing.": "no_session",
    "The CSRF tokens do not match.": "token_of_another_session",
    "The CSRF token is invalid.": "token_not_ours",
    ELSEWHERE: "other_site",
}
BRACKETED = re.compile(r"\[(?P<address>[^\]]+)\](?::\d+)?")
WITH_PORT = re.compile(r"(?P<address>[0-9.]+):\d+")
NAT64, COMPATIBLE = IPv6Network("64:ff9b::/96"), IPv6Network("::/96")


class FormProtection(CSRFProtect):
    """The session's token in every form, and the page that the browser names as the form's must be one of ours.

    A browser that names none, as some are set up, is believed for its token: the library would refuse it over https.
    Where the session of the token has gone, the page is enough: a second click, after the first began a new session,
    or a form that was open for a month.

    Each answer has the token under a mask of its own: an answer is compressed, and from the sizes of many that have the
    same secret in them it can be told.
    """

    def init_app(self, app: Flask) -> None:
        """Check each form, and let templates write the token."""
        super().init_app(app)
        app.context_processor(lambda: {"csrf_token": csrf_token})
        app.jinja_env.globals["csrf_token"] = csrf_token

    def protect(self, apply_exemptions: bool = False) -> None:
        """Check the request at hand, unless its view is exempt. Raises CSRFError."""
        try:
            self._check(apply_exemptions)
        except CSRFError as error:
            log.warning("A form was refused: %s", REFUSALS.get(str(error.description), "unknown"))
            raise

    def _check(self, apply_exemptions: bool) -> None:
        try:
            super().protect(apply_exemptions)
        except CSRFError:
            if contents.has_csrf_token() or not keeps_cookies() or not named_page():
                raise
            g.csrf_valid = True
        if g.get("csrf_valid") and sent_from_elsewhere():
            raise CSRFError(ELSEWHERE)

    def _get_csrf_token(self) -> str | None:
        """Return what a form was sent with, without its mask: the library looks at it."""
        if None in request.form:  # a part without a name, which no form of ours has, and which the library falls over
            abort(400)
        return unmasked(super()._get_csrf_token() or "")


def csrf_token() -> str:
    """Return the token for every form of the answer at hand."""
    if "masked_csrf_token" not in g:
        g.masked_csrf_token = masked(generate_csrf())
    return str(g.masked_csrf_token)


def masked(token: str) -> str:
    """Put a token under a mask, which is drawn anew each time: the mask, and the token with its bits flipped by it."""
    mask = secrets.token_bytes(len(token))
    return urlsafe_b64encode(mask + _flipped(token.encode(), mask)).decode()


def unmasked(text: str) -> str:
    """Take the mask off; a form that was open before there were masks has a token with dots in it, and none."""
    if "." in text:
        return text
    try:
        both = urlsafe_b64decode(text)
    except ValueError:  # nothing of ours, which the library says
        return text
    return _flipped(both[: len(both) // 2], both[len(both) // 2 :]).decode(errors="replace")


def _flipped(text: bytes, mask: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(text, mask, strict=False))


def form_token(secret_key: str, kept: str) -> str:
    """Sign the token that a session keeps, as Flask-WTF does, and mask it for the forms of an answer."""
    return masked(str(URLSafeTimedSerializer(secret_key, salt="wtf-csrf-token").dumps(kept)))


def named_page() -> str:
    """Return the page that a form was on as the browser says, by `Origin` or else by `Referer`; "" if it does not."""
    page = request.headers.get("Origin") or request.headers.get("Referer") or ""
    return "" if page == "null" else page


def sent_from_elsewhere() -> bool:
    """Return whether the browser says that a form was on another site."""
    settings: Settings = current_app.config["SETTINGS"]
    return bool(page := named_page()) and _site(page) not in (_site(request.host_url), _site(settings.base_url))


def keeps_cookies() -> bool:
    """Return whether the browser sent the session's cookie, though the session itself may have gone."""
    return current_app.config["SESSION_COOKIE_NAME"] in request.cookies


def _site(url: str) -> str:
    try:
        parts = urlsplit(url.lower())
    except ValueError:
        return url
    usual = {"http": ":80", "https": ":443"}.get(parts.scheme, "")
    return f"{parts.scheme}://{parts.netloc.removesuffix(usual)}"


def client_address() -> str:
    """Return the network that a request came from: an IPv4 address, or an IPv6 /64, since one home has a whole one."""
    return network_of(request.remote_addr or "127.0.0.1")


def network_of(remote: str) -> str:
    """Return the network of an address, in any form in which proxies write one; what is none stays as it is.

    An IPv4 address may come with a port, an IPv6 address in brackets, with a port or a zone (RFC 7239, 6; RFC 4007).
    IPv6 addresses that stand for an IPv4 address are that address: mapped and compatible ones (RFC 4291, 2.5.5), those
    of NAT64 (RFC 6052), 6to4 (RFC 3056) and Teredo (RFC 4380). Else the whole of IPv4 would be one network.
    """
    text = remote.strip().strip('"')
    if found := BRACKETED.fullmatch(text) or WITH_PORT.fullmatch(text):
        text = found["address"]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return remote
    if isinstance(address, IPv6Address) and not address.is_loopback:
        embedded = _embedded(address)
        return str(embedded or ip_network((address, 64), strict=False).network_address)
    return str(address)


def _embedded(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that an IPv6 address stands for."""
    if address.teredo:
        return address.teredo[1]
    compatible = address in COMPATIBLE and int(address) > 0xFFFF  # "::" and "::1" are not
    if address in NAT64 or compatible:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour
