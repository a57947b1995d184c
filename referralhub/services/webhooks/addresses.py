"""Which addresses are told: public ones. A name is judged by what it resolves to at the moment of the call."""

import socket
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, urlsplit

from referralhub.services.shared.errors import DomainError

LONGEST = 500  # characters
PORTS = {"https": 443, "http": 80}
# Addresses of IPv6 that stand for one of IPv4, which is what the packets reach, and where in them it is.
NAT64 = IPv6Network("64:ff9b::/96")
COMPATIBLE = IPv6Network("::/96")
UNICAST = IPv6Network("2000::/3")  # all of IPv6 that is given out for the internet
Found = tuple[int, str]  # of a host: a family of the socket module's, and a number
Resolve = Callable[[str, int], list[Found]]


class BadUrl(DomainError):
    """Nobody is told at such an address."""

    field = "url"


class Refused(Exception):
    """What a name stands for just now is not to be called."""


def normal(url: str, private: bool) -> str:
    """Return an address in its normal form, its host in ASCII. `private` ones are for development.

    Refuses what is wrong for sure: what a name stands for can change, and is judged when it is called. Raises BadUrl.
    """
    parts, host = _parts(url.strip())
    is_ours = not private and _is_ours(host)
    if parts.scheme == "http" and not private:
        raise BadUrl("webhook_url_private" if is_ours else "webhook_url_not_https")
    if parts.username is not None or parts.password is not None:
        raise BadUrl("webhook_url_with_credentials")
    if parts.fragment or any(not 32 < ord(each) < 127 for each in f"{parts.path}{parts.query}"):
        raise BadUrl("webhook_url_malformed")
    if is_ours:
        raise BadUrl("webhook_url_private")
    port = f":{parts.port}" if parts.port and parts.port != PORTS[parts.scheme] else ""
    shown = f"[{host}]" if ":" in host else host
    query = f"?{parts.query}" if parts.query else ""
    result = f"{parts.scheme}://{shown}{port}{parts.path or '/'}{query}"
    if len(result) > LONGEST:
        raise BadUrl("webhook_url_malformed")
    return result


def target(url: str) -> tuple[bool, str, int, str]:
    """Take an address in its normal form apart: whether it is encrypted, host, port, and what is asked for there."""
    parts = urlsplit(url)
    query = f"?{parts.query}" if parts.query else ""
    host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
    return parts.scheme == "https", host, port, f"{parts.path or '/'}{query}"


def resolved(host: str, port: int) -> list[Found]:
    """Ask what a host's name stands for. Raises OSError."""
    rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys((family, str(address[0])) for family, _, _, _, address in rows))


def checked(host: str, port: int, private: bool, resolve: Resolve = resolved) -> list[Found]:
    """Return the addresses of a host, one of which is to be called: by its number, so that nothing is asked again.

    Raises OSError where there are none, and Refused where one is not public.
    """
    found = resolve(host, port)
    if not found:
        raise OSError(host)
    for _, number in found:
        if not private and not is_public(number):
            raise Refused(number)
    return found


def is_public(number: str) -> bool:
    """Whether an address is one of the internet's, that anybody could call."""
    try:
        address = ip_address(number)
    except ValueError:  # of no kind that we know
        return False
    if isinstance(address, IPv6Address):
        if (inner := _inside(address)) is not None:
            return is_public(str(inner))
        if address.scope_id or address not in UNICAST:
            return False
    return address.is_global and not (address.is_multicast or address.is_reserved)


def _inside(address: IPv6Address) -> IPv4Address | None:
    """Return the address of IPv4 that packets to this one would reach."""
    if address.ipv4_mapped:
        return address.ipv4_mapped
    if address.sixtofour:
        return address.sixtofour
    if address.teredo:
        return address.teredo[1]
    if address in NAT64 or address in COMPATIBLE:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def _parts(url: str) -> tuple[SplitResult, str]:
    """Take what was typed apart, its host in ASCII and lower case, without the dot of the root. Raises BadUrl."""
    try:
        parts = urlsplit(url)
        if parts.scheme not in PORTS:
            raise BadUrl("webhook_url_not_https")
        host = parts.hostname or ""
        ascii_host = host if ":" in host else host.encode("idna").decode().lower().rstrip(".")
        _ = parts.port  # raises for what is no number
    except ValueError:
        raise BadUrl("webhook_url_malformed") from None
    if not ascii_host or any(each in ascii_host for each in " %\\"):
        raise BadUrl("webhook_url_malformed")
    return parts, ascii_host


def _is_ours(host: str) -> bool:
    """Whether a host is none of the internet's for sure: a private number, however it is written, or such a name."""
    try:
        rows = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)  # nobody is asked
    except OSError:
        return "." not in host or host.endswith((".localhost", ".local", ".internal"))
    return not all(is_public(str(row[4][0])) for row in rows)
