"""Mail addresses: telling two apart, knowing one again without keeping it, and what the part after the @ says."""

import hashlib
import hmac
from functools import cache
from pathlib import Path

DATA = Path(__file__).parent.parent.parent / "data"
GOOGLE = {"gmail.com", "googlemail.com"}


def address_hash(address: str, secret_key: str) -> str:
    """Make an HMAC of an address, by which it is known again and cannot be guessed without the key."""
    return hmac.new(secret_key.encode(), f"address:{address.lower()}".encode(), hashlib.sha256).hexdigest()


def domain_of(address: str) -> str:
    """Return the part after the @, in lower case."""
    return address.rpartition("@")[2].lower()


def canonical(address: str) -> str:
    """Return the mailbox behind an address: without a plus tag, and for Google without dots and by its first name."""
    name, _, domain = address.lower().rpartition("@")
    name = name.partition("+")[0] or name
    if domain in GOOGLE:
        return f"{name.replace('.', '')}@gmail.com"
    return f"{name}@{domain}"


def disposable_domain(address: str) -> str:
    """Return the throw-away service that an address is of, or of a part of one, by a kept and dated list; else ""."""
    labels = domain_of(address).split(".")
    parents = (".".join(labels[start:]) for start in range(len(labels) - 1))
    return next((domain for domain in parents if domain in _list("disposable-domains.txt")), "")


def is_free_mail(domain: str) -> bool:
    """Whether anybody gets an address there, so that sharing the domain says nothing."""
    return domain in _list("free-mail-domains.txt")


def masked(address: str) -> str:
    """Show of an address what tells it from most others, and not whose it is: "b…@e….com"."""
    name, _, domain = address.rpartition("@")
    return f"{name[:1]}…@{masked_domain(domain)}"


def masked_domain(domain: str) -> str:
    """Show what anybody may see: "gmail.com", but "e….org", for a family's or a company's names people."""
    if is_free_mail(domain.lower()):
        return domain.lower()
    return f"{domain[:1]}….{domain.rpartition('.')[2]}"


@cache
def _list(file: str) -> frozenset[str]:
    lines = (DATA / file).read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if not line.startswith("#"))
