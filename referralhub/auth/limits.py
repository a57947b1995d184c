"""By what sign-ins are counted: for an address, for an account, and for the two together.

Guessing at one account from many addresses must end, and must not lock its owner out: a browser in which the member was
signed in before is not counted against the account.
"""

from flask import request

from referralhub.forms import account_name
from referralhub.security import client_address
from referralhub.services.accounts import authentication
from referralhub.services.mailing.addresses import address_hash
from referralhub.sessions import contents


def account() -> str:
    """Name the account that is tried, by a hash: Redis holds no names."""
    return address_hash(_name())[:32]


def account_at_address() -> str:
    """Name the account that is tried, and from where."""
    return f"{account()}:{client_address()}"


def known_browser() -> bool:
    """Whether the member was signed in with this browser before."""
    members = contents.members()
    return bool(members) and authentication.is_one_of(_name(), members)


def _name() -> str:
    return account_name(request.form.get("username", "").strip()) or ""
