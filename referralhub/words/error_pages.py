"""What the error pages say: a title and advice, by HTTP status or by what happened."""

from referralhub.words.language import N_

PAGES = {
    400: (
        N_("That request didn't make sense"),
        N_("Something in it was missing or damaged. Go back and try once more."),
    ),
    403: (N_("That isn't yours to open"), N_("Sign in with the account it belongs to.")),
    404: (
        N_("There is nothing here"),
        N_(
            "The address may be mistyped, or the page is gone. If a friend sent you a link, check that you have all of "
            "it."
        ),
    ),
    405: (N_("That can't be done here"), N_("Go back and use the buttons on the page.")),
    413: (N_("That is too much at once"), N_("Send a smaller form or file.")),
    429: (N_("That was a little too often"), N_("This protects accounts from being guessed and forms from robots.")),
    500: (
        N_("Something broke on our side"),
        N_("It has been written down. Nothing of yours was changed; please try again."),
    ),
    503: (
        N_("We can't reach our database right now"),
        N_(
            "Nothing was lost, and nothing was half done. This page will work again in a moment; please try again then."
        ),
    ),
}
DONE = (
    N_("It is done, but we can't show the next page"),
    N_("There is no need to send anything again: the rest of this site will work again in a moment."),
)
NUMBER = N_("If it happens again, tell us this number: {}")
LOST_FORM = N_("This page was open for too long. Nothing is lost: enter the password once more, and send it again.")
NO_COOKIE = N_(
    "Your browser sent no cookie, and without one you cannot be signed in. Allow cookies for this site, enter the "
    "password once more, and send it again."
)
WITHOUT_COOKIE = (
    N_("Your browser sent no cookie"),
    N_(
        "Without one nobody can be signed in. Allow cookies for this site, go back, reload the page, and send it "
        "again. If they are allowed, the page was open for too long."
    ),
)
EXPIRED = (
    N_("This page was open for too long"),
    N_("To keep your account safe a form works only for a while. Go back, reload the page, and send it again."),
)

BUSY = (
    N_("Many people are signing in right now"),
    N_("Nothing was changed. Go back and try again in a moment."),
)
CONFLICT = N_("That didn't work")
