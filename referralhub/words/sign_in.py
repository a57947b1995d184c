"""Where somebody is signed in, and why they were not by their organization's provider."""

from flask_babel import gettext as _

from referralhub.words.language import N_

PROVIDER_AWAY = N_(
    "Your organization's sign-in does not answer right now. Try again in a moment, or sign in with your password here."
)
NOT_BELIEVED = N_("Your organization's sign-in did not say who you are, so nobody was signed in. You can try again.")
BEGUN_ELSEWHERE = N_(
    "This sign-in was begun in another browser, too long ago, or was used before. Please begin it again."
)
NOT_AFRESH = N_(
    "Your organization's sign-in did not ask who you are just now. Please type the password of your account here."
)
SOMEBODY_ELSE = N_("That is not the account that you are signed in with here.")


def browser(name: str) -> str:
    """Return the name of a browser as it is kept, "Firefox on Linux", in the language that is spoken now."""
    program, on, system = name.partition(" on ")
    program = _("A browser") if program == "A browser" else program
    return _("%(browser)s on %(system)s", browser=program, system=system) if on else program
