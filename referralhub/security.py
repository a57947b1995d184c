"""What every response carries for safety, and whose address a request came from."""

from collections.abc import Callable
from ipaddress import IPv6Address, ip_address, ip_network

from flask import Flask, Response, request
from werkzeug.middleware.proxy_fix import ProxyFix

from referralhub.config import Settings

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)


def init_app(app: Flask, settings: Settings) -> None:
    """Believe as many proxies as configured, and put the headers on every response."""
    if proxies := settings.trusted_proxies:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]  # how Flask takes middleware
            app.wsgi_app, x_for=proxies, x_proto=proxies, x_host=proxies
        )
    app.after_request(protector(settings))


def protector(settings: Settings) -> Callable[[Response], Response]:
    """Make what puts the headers on a response; which ones depends on the settings alone."""
    headers = {
        "Content-Security-Policy": POLICY,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    }
    if settings.base_url.startswith("https:"):
        headers["Strict-Transport-Security"] = "max-age=31536000"

    def protect(response: Response) -> Response:
        response.headers.update(headers)
        # Pages hold a member's own figures and one-time tokens: no cache may keep them.
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    return protect


def client_address() -> str:
    """Name the network the request came from: an IPv4 address, or an IPv6 /64, since one home holds a whole one."""
    remote = request.remote_addr or "127.0.0.1"
    try:
        address = ip_address(remote)
    except ValueError:
        return remote
    if isinstance(address, IPv6Address):
        return str(ip_network((address, 64), strict=False).network_address)
    return remote
