"""Why somebody was not signed in by their organization's provider."""

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
