"""Mail addresses: comparing them, recognizing one without keeping it, and what the part after the @ says."""

import hashlib
import hmac
from collections.abc import Callable
from functools import cache
from pathlib import Path

from disposable_email_domains import blocklist
from email_validator import EmailNotValidError, validate_email

from referralhub.models import NO_ADDRESS_DOMAIN
from referralhub.services.shared.errors import BadAddress

DATA = Path(__file__).parent.parent.parent / "data"
GOOGLE = {"gmail.com", "googlemail.com"}

_key: Callable[[], str]


def use_key(key: Callable[[], str]) -> None:
    """Take the secret of the application at work from here: services do not know its settings."""
    global _key  # noqa: PLW0603 - there is one secret, as there is one application at work
    _key = key


def normal(text: str) -> str:
    """Return a mail address in its normal form. Raises BadAddress."""
    try:
        result = validate_email(text, check_deliverability=False, allow_smtputf8=False, globally_deliverable=False)
    except EmailNotValidError:
        raise BadAddress("address_malformed") from None
    if "." not in result.ascii_domain:
        raise BadAddress("address_without_dot")
    return f"{result.ascii_local_part}@{result.ascii_domain}"


def address_hash(address: str) -> str:
    """Return an HMAC of an address: it identifies the address and cannot be guessed without the key."""
    return hmac.new(_key().encode(), f"address:{address.lower()}".encode(), hashlib.sha256).hexdigest()


def domain_of(address: str) -> str:
    """Return the part after the @, in lower case."""
    return address.rpartition("@")[2].lower()


def canonical(address: str) -> str:
    """Return the mailbox behind an address: without a plus tag, and for Google without dots and at gmail.com."""
    name, _, domain = address.lower().rpartition("@")
    name = name.partition("+")[0] or name
    if domain in GOOGLE:
        return f"{name.replace('.', '')}@gmail.com"
    return f"{name}@{domain}"


def disposable_domain(address: str) -> str:
    """Return the listed throw-away service that an address belongs to, directly or by a subdomain, or ""."""
    labels = domain_of(address).split(".")
    parents = (".".join(labels[start:]) for start in range(len(labels) - 1))
    return next((domain for domain in parents if domain in blocklist), "")


def is_free_mail(domain: str) -> bool:
    """Return whether anybody can get an address there, so that sharing the domain says nothing; or nobody has one."""
    return domain == NO_ADDRESS_DOMAIN or domain in _free_mail_domains()


def masked(address: str) -> str:
    """Return an address shortened so that it can be told from most others but names nobody: "b…@e….com"."""
    name, _, domain = address.rpartition("@")
    return f"{name[:1]}…@{masked_domain(domain)}"


def masked_domain(domain: str) -> str:
    """Return a domain as anybody may see it: "gmail.com", but "e….org": a family's or a company's names people."""
    if is_free_mail(domain.lower()):
        return domain.lower()
    return f"{domain[:1]}….{domain.rpartition('.')[2]}"


@cache
def _free_mail_domains() -> frozenset[str]:
    lines = (DATA / "free-mail-domains.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if not line.startswith("#"))
