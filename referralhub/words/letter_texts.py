"""What each mail says: a subject, and paragraphs with an empty line between them, with placeholders for values.

A paragraph `Label: {some_url}` is a button, and `{words}` alone is somebody's own words. One that comes out empty is
left out.
"""

from referralhub.services.mailing.letters import Letter
from referralhub.words.language import N_

LETTERS = {
    "verify_address": Letter(
        N_("Confirm your address for {brand}"),
        N_("""Hello {name},

Please confirm that this address is yours. One click, and your account is complete.

Confirm my address: {url}

The link works for 24 hours. If you didn't make an account, do nothing: without this nothing happens."""),
    ),
    "change_address": Letter(
        N_("Confirm your new address for {brand}"),
        N_("""Hello {name},

You asked us to write to this address from now on.

Use this address: {url}

The link works for 24 hours. If that wasn't you, do nothing: then nothing changes."""),
    ),
    "address_changed": Letter(
        N_("Your address at {brand} was changed"),
        N_("""Hello {name},

Mail about your account goes to another address from now on, as you asked. This is the last one that comes here.

If that wasn't you, somebody knows your password: write to those who run this site.

{brand}: {dashboard_url}"""),
    ),
    "address_taken": Letter(
        N_("You have an account at {brand} already"),
        N_("""Hello {name},

Somebody, perhaps you, has just typed this address for another account at {brand}. It belongs to an account of yours.

Sign in to my account: {url}

If you forgot your password, you can set a new one there. If that wasn't you, do nothing: nobody sees your account, and the other one gets nothing for your address."""),  # noqa: E501 - a paragraph is one line
    ),
    "reset_password": Letter(
        N_("Set a new password for {brand}"),
        N_("""Hello {name},

Here is the link to set a new password. It works for 20 minutes, once.

Set a new password: {url}

If you didn't ask for it, do nothing: your password stays as it is."""),
    ),
    "password_changed": Letter(
        N_("Your password at {brand} was changed"),
        N_("""Hello {name},

Your password was changed just now, and you are signed out everywhere else.

If that wasn't you, set a new one at once, by “Forgotten your password?” on the sign-in page.

{brand}: {dashboard_url}"""),
    ),
    "sign_in_changed": Letter(
        N_("How you sign in to {brand} was changed"),
        N_("""Hello {name},

{change}

If that wasn't you, set a new password at once, by “Forgotten your password?” on the sign-in page, and write to those who run this site.

{brand}: {dashboard_url}"""),  # noqa: E501 - a paragraph is one line
    ),
    "friend_joined": Letter(
        N_("{friend} joined by your link"),
        N_("""Hello {name},

{friend} made an account by your link. It counts for you as soon as they confirm their address.

See it on your dashboard: {dashboard_url}"""),
    ),
    "friend_joined_by_event": Letter(
        N_("{friend} joined by your link"),
        N_("""Hello {name},

{friend} signed up by your link. {promise}

See it on your dashboard: {dashboard_url}"""),
    ),
    "referral_confirmed": Letter(
        N_("{friend} joined: you earned {amount}"),
        N_("""Hello {name},

{friend} joined by your link, and it counts. You earned {amount}. You have brought {friends} so far.

See it on your dashboard: {dashboard_url}"""),
    ),
    "referral_confirmed_without_reward": Letter(
        N_("{friend} joined"),
        N_("""Hello {name},

{friend} joined by your link, and it counts. You have brought {friends} so far.

See it on your dashboard: {dashboard_url}"""),
    ),
    "referral_held": Letter(
        N_("{friend} joined: we're having a look"),
        N_("""Hello {name},

{friend} joined by your link. Before it counts, somebody here looks at it; that is routine, and nothing is lost meanwhile.

See on your dashboard how it ends: {dashboard_url}"""),  # noqa: E501 - a paragraph is one line
    ),
    "referral_reversed": Letter(
        N_("A referral was taken back: {friend}"),
        N_("""Hello {name},

The credit for {friend} was taken back. The reason: {reason}

You have {confirmed_friends} now. Every entry is on your rewards page.

See it on your dashboard: {dashboard_url}"""),
    ),
    "badge_earned": Letter(
        N_("A new badge: {badge}"),
        N_("""Hello {name},

{friend} was the one: you now have {confirmed_friends}, and a badge for it.

See it on your dashboard: {dashboard_url}"""),
    ),
    "badge_earned_with_tier": Letter(
        N_("A new badge: {badge}"),
        N_("""Hello {name},

{friend} was the one: you now have {confirmed_friends}, and a badge for it. You are {tier} now, too.

See it on your dashboard: {dashboard_url}"""),
    ),
    "tier_reached": Letter(
        N_("You reached {tier}"),
        N_("""Hello {name},

{friend} was the one: with {confirmed_friends} you are {tier} now.

See it on your dashboard: {dashboard_url}"""),
    ),
    "weekly_digest": Letter(
        N_("Your week: {joined} joined, {visits}"),
        N_("""Hello {name},

Last week your link was opened {opened}, and {joined} joined by it. Confirmed: {confirmed}.

You have brought {friends} so far.

See it on your dashboard: {dashboard_url}"""),
    ),
    "invitation": Letter(
        N_("{inviter} invites you to {brand}"),
        N_("""Hello,

{inviter} thinks that you would like {brand}.

{words}

Accept the invitation: {url}"""),
    ),
    "invitation_with_reward": Letter(
        N_("{inviter} invites you to {brand}"),
        N_("""Hello,

{inviter} thinks that you would like {brand}, and gives you {reward}.

{words}

Accept the invitation: {url}"""),
    ),
    "invitation_reminder": Letter(
        N_("{inviter} still holds a place for you at {brand}"),
        N_("""Hello,

{inviter} invited you to {brand} some days ago. The invitation still holds. This is the only reminder.

Accept the invitation: {url}"""),
    ),
    "invitation_reminder_with_reward": Letter(
        N_("{inviter} still holds a place for you at {brand}"),
        N_("""Hello,

{inviter} invited you to {brand} some days ago, with {reward} for you. The invitation still holds. This is the only reminder.

Accept the invitation: {url}"""),  # noqa: E501 - a paragraph is one line
    ),
    "review_reminder": Letter(
        N_("{waiting} for your decision"),
        N_("""Hello {name},

{waiting} for somebody to look at, some of them for days. Their members see “in review” meanwhile.

After 30 days, those that are not likely fraud confirm themselves.

Open the review queue: {review_url}"""),
    ),
    "webhook_failing": Letter(
        N_("Webhooks to {site} are switched off"),
        N_("""Hello {name},

For five days nothing of what {brand} has to tell arrived at {site}. It was switched off: nothing more is sent there.

The log says what was answered. Once that is mended, switch it on again, and send again what is missing.

Open the webhooks: {webhooks_url}"""),
    ),
    "webhook_gone": Letter(
        N_("Webhooks to {site} are switched off"),
        N_("""Hello {name},

{site} answered that it is gone (410), and wants to be told nothing more. It was switched off.

If that is a mistake, switch it on again, and send again what is missing.

Open the webhooks: {webhooks_url}"""),
    ),
    "claim_question": Letter(
        N_("Did {inviter} invite you to {brand}?"),
        N_("""Hello {name},

{inviter} says that you joined {brand} through them, and that this was not noticed. If it is so, please say yes: once somebody here has looked at it, {inviter} gets the credit for it.

Answer the question: {url}

If it is not so, say no. If you do nothing, nothing happens."""),  # noqa: E501 - a paragraph is one line
    ),
    "claim_confirmed": Letter(
        N_("A missing referral at {brand} was found"),
        N_("""Hello {name},

{inviter} brought {friend} to {brand}. That was missing, and it counts from now on. The reason: {reason}

Read it on your pages: {url}"""),
    ),
    "claim_rejected": Letter(
        N_("We looked for a missing referral at {brand}"),
        N_("""Hello {name},

{inviter} said that they brought {friend} to {brand}. We looked at it and cannot count it. The reason: {reason}

Read it on your pages: {url}"""),
    ),
    "share": Letter(  # what members send themselves: the link follows it
        N_("An invitation to {brand}"),
        N_("I'm using {brand} and think you'd like it. Join me with my link:"),
    ),
    "share_with_reward": Letter(
        N_("An invitation to {brand}"),
        N_("I'm using {brand} and think you'd like it. You get {reward}. Join me with my link:"),
    ),
}
FOOTERS = {
    "invitation": N_("""You get this because somebody gave us your address to invite you, once.
No more invitations, from anybody: {unsubscribe_url}"""),
    "news": N_("""You get this because you are a member of {brand}.
No more of these: {unsubscribe_url}
Choose what we mail you: {settings_url}"""),
    "account": N_("You get this because of your account at {brand}."),
    "support": N_("Questions? Write to {support_email}"),
}
