"""What can go wrong in a way that a person can put right: a stable code, and the values that it is about.

The words are made at the edge, in `referralhub/words`.
"""

from typing import Any


class DomainError(Exception):
    """A rule was not met. `code` says which, for good; `field` names the value at fault, "" the whole of them."""

    code = ""
    field = ""

    def __init__(self, code: str = "", field: str = "", **values: Any) -> None:
        self.code, self.field, self.values = code or self.code, field or self.field, values
        super().__init__(self.code)

    @property
    def fields(self) -> dict[str, str]:
        """The code of what is wrong with each value at fault."""
        return {self.field: self.code}


class NotFound(DomainError):
    """Nothing of this kind has this number."""


class Conflict(DomainError):
    """What was asked for cannot be done with things as they are, or are by now."""


class AlreadyDone(Conflict):
    """What was asked for is so already, and nothing was changed. To ask twice is no mistake: commands call it done."""


class Taken(DomainError):
    """The user name, the address or both belong to an account already."""

    code = "account_taken"

    def __init__(self, username: bool, email: bool) -> None:
        super().__init__()
        self.username, self.email = username, email

    @property
    def fields(self) -> dict[str, str]:
        """The names of those that are taken; the whole where another account was quicker by a moment."""
        taken = {"username": "username_taken"} if self.username else {}
        taken |= {"email": "email_taken"} if self.email else {}
        return taken or super().fields


class WeakPassword(DomainError):
    """The password would be guessed."""


class BadAddress(DomainError):
    """This cannot be a mail address."""

    field = "email"


class BadFile(DomainError):
    """A file is not what was to be loaded."""

    field = "file"


class UnknownCode(DomainError):
    """No member has this code, or not any more."""

    code = "unknown_code"
    field = "referral_code"


class BadOwnCode(DomainError):
    """No member can choose this code."""

    field = "code"


class OwnCodeTaken(Conflict):
    """The code is a member's, or people would take it for one that is."""

    code = "own_code_taken"
    field = "code"


class OneOwnCodeAMonth(Conflict):
    """The member chose a code this month; from the day `free_on` there can be another one."""

    code = "own_code_once_a_month"
    field = "code"


class WrongCredentials(DomainError):
    """No such account, or not this password; which of the two is not said."""

    code = "wrong_credentials"


class BadLink(DomainError):
    """The token in a mailed link is too old, used, changed on the way, or for an address no longer used."""

    code = "bad_link"


class WrongPassword(DomainError):
    """The member's own password was asked for again and does not match."""

    code = "wrong_password"
    field = "password"


class WrongCode(DomainError):
    """The code from the app, or the recovery code, is wrong, too old, or was used."""

    code = "wrong_code"
    field = "code"


class NoAdmin(DomainError):
    """Whom the provider vouches for is no admin here, or not for certain. `why` is for the log."""

    code = "no_admin_of_provider"

    def __init__(self, *, why: str) -> None:
        super().__init__()
        self.why = why


class TooManyAtOnce(Exception):
    """More is being waited for than leaves room for other pages; trying again in a moment helps."""


class CannotInvite(Conflict):
    """This member cannot send this invitation, or not now."""


class WrongState(Conflict):
    """The referral is not in the state that this step begins in: another was quicker, or it was done before."""

    code = "referral_in_other_state"


class AlreadyDecided(WrongState, AlreadyDone):
    """The referral is in the state that this step leads to."""


class Unverified(Conflict):
    """The friend's address is not confirmed, and the program requires that."""

    code = "friend_unverified"


class CannotRedeem(Conflict):
    """The perk cannot be had: too dear, not unlocked, sold out, or gone."""


class BadPerk(DomainError):
    """A perk cannot be like this, or its stock cannot change like this."""


class BadSetting(DomainError):
    """A rule of the program cannot have this value; `key` is its name."""

    def __init__(self, key: str, code: str, **values: Any) -> None:
        super().__init__(code, key, **values)
        self.key = key


class StaleRules(Conflict):
    """The rules were changed to this version while somebody was choosing new ones."""

    code = "rules_changed"

    def __init__(self, version: int) -> None:
        super().__init__(version=str(version))
        self.version = version


def in_short(error: BaseException) -> str:
    """Return the first line of what a service or its driver said, without the statement that it was about."""
    said = str(getattr(error, "orig", None) or error).strip() or type(error).__name__
    return said.splitlines()[0]
