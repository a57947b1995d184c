"""What the error pages say: a title and advice, by HTTP status or by what happened."""

PAGES = {
    400: (
        "That request didn't make sense",
        "Something in it was missing or damaged. Go back and try once more.",
    ),
    403: ("That isn't yours to open", "Sign in with the account it belongs to."),
    404: (
        "There is nothing here",
        "The address may be mistyped, or the page is gone. If a friend sent you a link, check that you have all of it.",
    ),
    405: ("That can't be done here", "Go back and use the buttons on the page."),
    413: ("That is too much at once", "Send a smaller form or file."),
    429: ("That was a little too often", "This protects accounts from being guessed and forms from robots."),
    500: (
        "Something broke on our side",
        "It has been written down. Nothing of yours was changed; please try again.",
    ),
    503: (
        "We can't reach our database right now",
        "Nothing was lost, and nothing was half done. This page will work again in a moment; please try again then.",
    ),
}
DONE = (
    "It is done, but we can't show the next page",
    "There is no need to send anything again: the rest of this site will work again in a moment.",
)
NUMBER = "If it happens again, tell us this number: {}"
LOST_FORM = "This page was open for too long. Nothing is lost: enter the password once more, and send it again."
NO_COOKIE = (
    "Your browser sent no cookie, and without one you cannot be signed in. Allow cookies for this site, enter the "
    "password once more, and send it again."
)
WITHOUT_COOKIE = (
    "Your browser sent no cookie",
    "Without one nobody can be signed in. Allow cookies for this site, go back, reload the page, and send it again. If "
    "they are allowed, the page was open for too long.",
)
EXPIRED = (
    "This page was open for too long",
    "To keep your account safe a form works only for a while. Go back, reload the page, and send it again.",
)

BUSY = (
    "Many people are signing in right now",
    "Nothing was changed. Go back and try again in a moment.",
)
CONFLICT = "That didn't work"
