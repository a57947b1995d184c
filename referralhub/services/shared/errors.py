"""What can go wrong in a way that a person can mend. The message is for that person."""


class DomainError(Exception):
    """A rule was not met. `fields` maps the name of each value at fault to a message; "" is the whole."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.fields = {field: message}


class AlreadySo(DomainError):
    """What was asked for is so already, and nothing was changed. To ask twice is no mistake: commands call it done."""


class Taken(DomainError):
    """The user name, the address or both belong to an account already."""

    def __init__(self, username: bool, email: bool) -> None:
        super().__init__("There is already an account with these details. Try signing in.")
        if username or email:
            self.fields = {}
        if username:
            self.fields["username"] = "This user name is taken. Please choose another one."
        if email:
            self.fields["email"] = "There is already an account with this address. Try signing in."


class OrdinaryAccount(DomainError):
    """The name and the address belong to an account that may not run the program."""

    def __init__(self) -> None:
        super().__init__("There is an account with this name and address, which is no admin's. It was left as it is.")


class WeakPassword(DomainError):
    """The password would be guessed."""

    def __init__(self, message: str, field: str = "password") -> None:
        super().__init__(message, field)


class UnknownCode(DomainError):
    """No member has this code, or not any more."""

    def __init__(self) -> None:
        super().__init__("We don't know this code. Check it, or leave the field empty.", "referral_code")


class WrongCredentials(DomainError):
    """No such account, or not this password; which of the two is not said."""

    def __init__(self) -> None:
        super().__init__("That user name and password don't match an account. Please check both.")


class BadLink(DomainError):
    """The token in a mailed link is too old, used, changed on the way, or for an address no longer used."""

    def __init__(self) -> None:
        super().__init__("This link no longer works: it is too old, was used, or a part of it is missing.")


class WrongPassword(DomainError):
    """The member's own password was asked for again and does not match."""

    def __init__(self) -> None:
        super().__init__("That is not your password. Please type it again.", "password")


class TooManyAtOnce(Exception):
    """More passwords are being checked than leaves room for other pages; trying again in a moment helps."""


class CannotInvite(DomainError):
    """This member cannot send this invitation, or not now."""


class NoSuchMember(DomainError):
    """No member has this number."""

    def __init__(self) -> None:
        super().__init__("There is no member with this number.")


class CannotSwitch(DomainError):
    """This account cannot be switched off or on."""


class CannotCorrect(DomainError):
    """The credit for this member cannot go to somebody else, or not like this."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "code")


class NoSuchReferral(DomainError):
    """No referral has this number."""

    def __init__(self) -> None:
        super().__init__("There is no referral with this number.")


class WrongState(DomainError):
    """The referral is not where this step begins; somebody else was quicker, or it was done before."""

    def __init__(self, expected: str) -> None:
        super().__init__(f"This referral is not {expected}, or not any more. Its trail says what happened.")


class AlreadyDecided(WrongState, AlreadySo):
    """The referral is where this step would have led."""


class Unverified(DomainError):
    """The friend's address is not confirmed, and the program requires that."""

    def __init__(self) -> None:
        super().__init__("The friend has not confirmed their address yet; no credit is given before that.")


class CannotRedeem(DomainError):
    """The perk cannot be had: too dear, not unlocked, sold out, or gone."""


class BadPerk(DomainError):
    """A perk cannot be like this, or its stock cannot change like this."""


class NoSuchPerk(DomainError):
    """No perk has this number."""

    def __init__(self) -> None:
        super().__init__("There is no perk with this number.")


class NoSuchClaim(DomainError):
    """Nothing was claimed under this number."""

    def __init__(self) -> None:
        super().__init__("There is no claim with this number.")


class NoSuchMessage(DomainError):
    """No message has this number."""

    def __init__(self) -> None:
        super().__init__("There is no message with this number.")


class CannotResend(DomainError):
    """There is no such message, or nobody wants it any more."""


class BadSetting(DomainError):
    """A rule of the program cannot have this value."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"{key}: {problem}", key)
        self.key, self.problem = key, problem


class StaleRules(DomainError):
    """The rules were changed while somebody was choosing new ones."""

    def __init__(self, version: int) -> None:
        super().__init__(
            f"Version {version} came in force while you were at this form. What you typed is still here: "
            "look at what changed, then preview it again."
        )
        self.version = version


def in_short(error: BaseException) -> str:
    """Give the first line of what a service or its driver said, without the statement that it was about."""
    words = str(getattr(error, "orig", None) or error).strip() or type(error).__name__
    return words.splitlines()[0]
