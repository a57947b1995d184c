"""What went wrong, in words: one text for each code of a `DomainError`."""

from referralhub.services.shared.errors import BadSetting, DomainError
from referralhub.words.text import Plural, Text, fill

ERRORS: dict[str, Text] = {
    # Accounts
    "account_taken": "There is already an account with these details. Try signing in.",
    "username_taken": "This user name is taken. Please choose another one.",
    "email_taken": "There is already an account with this address. Try signing in.",
    "is_admin_already": "{username} is an admin already.",
    "is_ordinary_account": (
        "There is an account with this name and address, which is no admin's. It was left as it is."
    ),
    "wrong_credentials": "That user name and password don't match an account. Please check both.",
    "wrong_password": "That is not your password. Please type it again.",
    "wrong_code": (
        "This code is wrong, too old, or was used. Wait for the next one that your app shows, or take a recovery code "
        "that you have not used yet."
    ),
    "provider_first": (
        "Your organization's sign-in vouches for this account. Sign in with that, not with the password, first."
    ),
    "two_factor_on": "Your account asks for a code already.",
    "two_factor_off": "This account asks for no code.",
    "two_factor_unreadable": (
        "The key that protects codes was changed on this site, so that those of your app work no more. Use a recovery "
        "code, or ask those who run it."
    ),
    "no_admin_of_provider": (
        "Your organization knows you, but no admin's account here is yours: you are not signed in, and none was made."
    ),
    "not_linked": "This account is tied to no provider.",
    "bad_link": "This link no longer works: it is too old, was used, or a part of it is missing.",
    "address_malformed": "This doesn't look like an e-mail address, such as bo@example.com.",
    "address_without_dot": "The part after the @ needs a dot, such as example.com.",
    "password_length": "Use {shortest} to {longest} characters.",
    "password_common": "This password is one of the first that attackers try. Please choose another one.",
    "password_is_name": "Your password must be more than your name, your address or ours with some digits.",
    "own_account": "You cannot switch off the account that you are using.",
    "account_erased": "This member deleted the account; there is nothing left to switch on.",
    "name_invisible": "This contains an invisible character. Please type it instead of pasting.",
    "name_without_letter": "Use at least one letter or digit.",
    "name_with_many_marks": "Use at most {most} accents on one letter.",
    # Referrals
    "unknown_code": "We don't know this code. Check it, or leave the field empty.",
    "referral_in_other_state": "This referral is not {expected}, or not any more. Its trail says what happened.",
    "friend_unverified": "The friend has not confirmed their address yet; no credit is given before that.",
    "no_such_code": "No member has this code, or not any more.",
    "referrer_came_later": "The member who brought this one must have been here before.",
    "referral_undecided": "This member's referral is not decided yet. Decide it first.",
    "has_the_credit": "This member has the credit already.",
    "corrected_before": "This was corrected before. Adjust the two balances instead.",
    # Existing customers
    "customers_without_columns": "The first line must name the columns: {columns}.",
    "customers_with_mistakes": Plural(
        "wrong", "1 line is wrong. Nothing was loaded.", "{wrong} lines are wrong. Nothing was loaded."
    ),
    # Archives
    "archive_exists": "This file exists already. Choose another name.",
    "archive_not_writable": "The file cannot be written: {why}.",
    "archive_damaged": "This is no archive of ReferralHub's, or it is damaged. Nothing was changed.",
    "archive_of_other_schema": (
        "The archive is of another version of ReferralHub: its tables are at {theirs}, those here at {ours}. "
        "Migrate that database first. Nothing was changed."
    ),
    "archive_line_foreign": "Line {line} of {table} in the archive is none of ours. Nothing was changed.",
    "archive_contradicts_itself": "A row of the archive contradicts another. Nothing was changed.",
    "archive_is_here": "Everything in this archive is here already.",
    "import_running": "Another import into this database is running. Nothing was changed.",
    "database_busy": (
        "Something else has been writing to this database for {seconds} seconds: another import, perhaps. "
        "Nothing was changed."
    ),
    "database_not_empty": "This database has other data already. Import into an empty one. Nothing was changed.",
    # Invitations
    "invitations_off": "Invitations by mail are switched off in this program. Your link works everywhere else.",
    "own_address_unconfirmed": "Confirm your own address first. Then you can invite others.",
    "no_reminder_due": "There is no reminder to send: it was sent, it is too early, they joined, or mail came back.",
    "reminder_unwanted": "No reminder was sent: this address has an account by now, or wants no more invitations.",
    # Perks
    "perk_not_offered": "This perk is not offered any more.",
    "perk_locked": Plural(
        "missing", "1 more confirmed referral unlocks this.", "{missing} more confirmed referrals unlock this."
    ),
    "perk_too_dear": "This costs {price}, and you can spend {available} today.",
    "perk_sold_out": "{perk} is gone: somebody else took the last one.",
    "perk_exists": "This perk is in the catalogue already, on these terms.",
    "perk_name_taken": "There is a perk with this name already.",
    "form_sent_before": "This form was sent before, with another name. Open the page again to add one more perk.",
    "stock_is_coupons": "This perk is as many as its coupons. Add coupons instead.",
    "stock_unlimited": "There is no limit to this perk, so there is nothing to add.",
    "stock_too_large": "There can be {most} at most.",
    "has_no_coupons": "This perk is handed over by hand; it has no coupons.",
    "coupons_twice": "You typed these codes twice: {codes}. Take them out; nothing was added.",
    "coupons_known": "These codes are in the pool already: {codes}. Take them out; nothing was added.",
    # Mail
    "message_dropped": "This message was dropped because nobody wants it any more.",
    # Rules of the program: what is wrong with a value, to stand behind its name
    "setting_unknown": "there is no such setting; there are {settings}",
    "setting_unreadable": "'{text}' is not a value for it",
    "setting_out_of_range": "must be between {least} and {most}",
    "window_out_of_range": "must be between {least} and {most}, as long as a visitor is remembered",
    "name_length": "must have {least} to {most} characters",
    "tiers_malformed": (
        'must be a list such as [{{"name": "Silver", "at": 10}}], each name of at most {longest} characters '
        "and each mark at most {most}"
    ),
    "milestones_malformed": (
        'must be a list such as [{{"at": 10, "bonus": 50}}], each mark from 1 and each number at most {most}'
    ),
    "steps_not_rising": "must rise, each mark once",
    "tiers_not_from_zero": "must begin at 0",
    "rules_changed": (
        "Version {version} came in force while you were at this form. What you typed is still here: "
        "look at what changed, then preview it again."
    ),
    # Whatever has a number
    "no_such_account": "There is no account with this user name.",
    "no_such_member": "There is no member with this number.",
    "no_such_referral": "There is no referral with this number.",
    "no_such_perk": "There is no perk with this number.",
    "no_such_claim": "There is no claim with this number.",
    "no_such_message": "There is no message with this number.",
}


def by_field(error: DomainError) -> dict[str, str]:
    """Return what is wrong with each value at fault, by its name; "" is the whole."""
    return {field: fill(ERRORS[code], error.values) for field, code in error.fields.items()}


def say(error: DomainError) -> str:
    """Return what is wrong, for one who does not see a form beside it."""
    words = by_field(error)
    if isinstance(error, BadSetting):
        return f"{error.key}: {words[error.key]}"
    return " ".join(words.values())
