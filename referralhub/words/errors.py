"""What went wrong, in words: one text for each code of a `DomainError`."""

from referralhub.services.shared.errors import BadSetting, DomainError
from referralhub.words.language import N_, Plural
from referralhub.words.text import Text, fill

ERRORS: dict[str, Text] = {
    # Accounts
    "account_taken": N_("There is already an account with these details. Try signing in."),
    "username_taken": N_("This user name is taken. Please choose another one."),
    "email_taken": N_("There is already an account with this address. Try signing in."),
    "is_admin_already": N_("{username} is an admin already."),
    "is_ordinary_account": (
        N_("There is an account with this name and address, which is no admin's. It was left as it is.")
    ),
    "wrong_credentials": N_("That user name and password don't match an account. Please check both."),
    "wrong_password": N_("That is not your password. Please type it again."),
    "wrong_code": N_(
        "This code is wrong, too old, or was used. Wait for the next one that your app shows, or take a recovery code "
        "that you have not used yet."
    ),
    "provider_first": (
        N_("Your organization's sign-in vouches for this account. Sign in with that, not with the password, first.")
    ),
    "two_factor_on": N_("Your account asks for a code already."),
    "two_factor_off": N_("This account asks for no code."),
    "two_factor_unreadable": N_(
        "The key that protects codes was changed on this site, so that those of your app work no more. Use a recovery "
        "code, or ask those who run it."
    ),
    "no_admin_of_provider": N_(
        "Your organization knows you, but no admin's account here is yours: you are not signed in, and none was made."
    ),
    "not_linked": N_("This account is tied to no provider."),
    "bad_link": N_("This link no longer works: it is too old, was used, or a part of it is missing."),
    "address_malformed": N_("This doesn't look like an e-mail address, such as bo@example.com."),
    "address_without_dot": N_("The part after the @ needs a dot, such as example.com."),
    "password_length": N_("Use {shortest} to {longest} characters."),
    "password_common": N_("This password is one of the first that attackers try. Please choose another one."),
    "password_is_name": N_("Your password must be more than your name, your address or ours with some digits."),
    "own_account": N_("You cannot switch off the account that you are using."),
    "account_erased": N_("This member deleted the account; there is nothing left to switch on."),
    "name_invisible": N_("This contains an invisible character. Please type it instead of pasting."),
    "name_without_letter": N_("Use at least one letter or digit."),
    "text_with_address": N_("Leave out web addresses. If this is none, put a space after the dot."),
    "name_with_many_marks": N_("Use at most {most} accents on one letter."),
    # Referrals
    "unknown_code": N_("We don't know this code. Check it, or leave the field empty."),
    "referral_in_other_state": N_("This referral is not {expected}, or not any more. Its trail says what happened."),
    "friend_unverified": N_("The friend has not confirmed their address yet; no credit is given before that."),
    "no_such_code": N_("No member has this code, or not any more."),
    "has_referrer": N_("It is known already who brought you, and that does not change."),
    "friend_has_referrer": N_("It is known by now who brought this member, and that does not change."),
    "own_code": N_("This is your own code. Enter that of the member who invited you."),
    "code_of_newer_member": N_("Whoever has this code joined after you. Only somebody who was here before can invite."),
    "late_codes_off": N_("In this program a code counts only when you sign up with it."),
    "late_code_too_late": Plural(
        "days",
        "A code can be entered for 1 day after signing up, and that time is over.",
        "A code can be entered for {days} days after signing up, and that time is over.",
    ),
    "referrer_came_later": N_("The member who brought this one must have been here before."),
    "appeal_waits": N_("You have appealed already. Somebody looks at it once more."),
    "appealed_before": N_("You have appealed already, and the decision after that is final."),
    "referral_undecided": N_("This member's referral is not decided yet. Decide it first."),
    "has_the_credit": N_("This member has the credit already."),
    "corrected_before": N_("This was corrected before. Adjust the two balances instead."),
    # Codes that members choose
    "own_code_shape": N_("Use {least} to {most} letters from a to z, digits, and single hyphens in between."),
    "own_code_foreign": N_(
        "“{what}” cannot be in a code, even where it looks like a letter from a to z. Type the code instead of pasting "
        "it, without accents."
    ),
    "own_code_reserved": N_("This is the address of one of our pages, or looks like one. Please choose another code."),
    "own_code_bad_word": N_("Some people would rather not open a link with this word. Please choose another code."),
    "own_code_taken": N_("A member has this code, or one that looks like it. Please choose another one."),
    "own_code_yours": N_("This code is yours already, or looks like one that is. It goes on working."),
    "own_code_once_a_month": N_("You chose a code this month. You can choose another one from {free_on} on."),
    # Missing referrals
    "claimant_unconfirmed": N_("Confirm your own address first. Then you can say whom you miss."),
    "claim_of_oneself": N_("This is your own address. Enter that of the friend who joined."),
    "claimed_before": N_("You have named this address before. Each friend is asked once; see below how that ended."),
    "too_many_claims": N_("{most} of your claims are open. Wait until one of them is answered or decided."),
    "joined_in_future": N_("This day is still to come."),
    "joined_before_claimant": N_("On this day you were no member yourself. You can only bring who joins after you."),
    "claim_answered": N_("You have answered this already."),
    "claim_does_not_wait": N_("This claim does not wait for a decision, or not any more."),
    "no_such_referral_claim": N_("There is no claim with this number."),
    # The API, and keys for it
    "key_name_length": N_("Use {least} to {most} characters."),
    "key_without_scope": N_("Choose at least one thing that the key is good for."),
    "key_over_already": N_("The end must be ahead."),
    "key_revoked_already": N_("This key was withdrawn before."),
    "test_program_refused": N_("The test program could not be made: {why}"),
    "external_id_malformed": N_("Use 1 to {most} characters that can be printed."),
    "member_name_length": N_("Use {least} to {most} characters."),
    "member_closed": N_("This account is closed."),
    "member_is_admin": N_("This account is an admin's, and erased by nobody but themselves."),
    "amount_out_of_range": N_("Use a whole number from 1 to {most}, or below zero to take as much away."),
    "unit_unknown": N_("Use points, megabytes, or the ISO 4217 code of a currency."),
    "version_superseded": N_("Version {version} of the rules is in force by now. Look at it, then change it."),
    "range_out_of_years": N_("Use days from {first} to {last}."),
    "range_reversed": N_("The last day is before the first."),
    "range_too_long": N_("Choose at most {most} years."),
    "idempotency_key_reused": N_("This Idempotency-Key stood for another call. Choose a new one for each."),
    "cannot_be_signed_in": N_("Nobody is let into this account by a link: it is closed, or an admin's."),
    # Webhooks
    "webhook_url_not_https": N_("The address must begin with https://."),
    "webhook_url_with_credentials": N_("Leave the name and the password out of the address: a signature proves us."),
    "webhook_url_malformed": N_("This is no address that can be called, such as https://shop.example.com/webhooks."),
    "webhook_url_private": N_(
        "This is an address of a private network. Name one that everybody can reach. To develop on your own machine, "
        "set WEBHOOK_PRIVATE_ADDRESSES=true for the server and for commands."
    ),
    "webhook_there_already": N_("This address is told already. If its secret was not kept, make another one."),
    "webhook_type_unknown": N_("There is no such type."),
    "webhook_as_before": N_("It is told of these types already."),
    "webhook_on_already": N_("This address is switched on already."),
    "webhook_removed_already": N_("This address was removed before."),
    "webhook_is_off": N_("This address is switched off. Switch it on first."),
    "too_many_webhooks": N_("There can be {most} addresses. Remove one first."),
    # Events
    "event_without_customer": N_("Say whom it is about: a signup needs a person, others a person or an organization."),
    "event_type_unlike": N_("Use a to z, digits, dots and underscores, at most 40, with a letter first."),
    "event_is_no_refund": N_("Only a refund is one of a purchase."),
    "event_amount_without_currency": N_("An amount needs a currency, and a currency an amount."),
    "event_amount_out_of_range": N_("Use 0 to {most}, in the smallest unit of the currency."),
    "event_currency_unknown": N_("Use the ISO 4217 code of a currency that is in use, such as EUR or JPY."),
    "event_out_of_time": N_("This is more than a day ahead, or before the year 2000."),
    "event_metadata_unlike": N_("Use at most {most} characters of JSON, and none that is invisible."),
    "event_ip_malformed": N_("This is no IP address."),
    "event_id_taken": N_("Another event was sent under this number before."),
    "no_such_event": N_("There is no event with this number."),
    # Files that are loaded
    "file_without_columns": N_("The first line must name the columns: {columns}."),
    "line_unreadable": N_("This line cannot be read as CSV."),
    "too_many_lines": N_("A file can have {most} lines at most. Load it in parts."),
    # Rewards that are handed over
    "no_such_reward": N_("There is no reward with this number."),
    "reward_fulfilled": N_("This reward was handed over, and that is final."),
    "reward_withdrawn": N_("This reward was withdrawn: what it was for was taken back. Do not hand it over."),
    "reward_state_unknown": N_("The state must be “fulfilled” or “failed”, or be left as it was."),
    "reason_missing": N_("Say why it could not be handed over."),
    "reward_twice": N_("More than one line is about this reward."),
    "rewards_with_mistakes": Plural(
        "wrong", "1 line is wrong. Nothing was changed.", "{wrong} lines are wrong. Nothing was changed."
    ),
    "words_malformed": N_("Use at most {most} characters, on one line."),
    # Existing customers
    "customers_with_mistakes": Plural(
        "wrong", "1 line is wrong. Nothing was loaded.", "{wrong} lines are wrong. Nothing was loaded."
    ),
    # Archives
    "archive_exists": N_("This file exists already. Choose another name."),
    "archive_not_writable": N_("The file cannot be written: {why}."),
    "archive_damaged": N_("This is no archive of ReferralHub's, or it is damaged. Nothing was changed."),
    "archive_of_other_schema": N_(
        "The archive is of another version of ReferralHub: its tables are at {theirs}, those here at {ours}. "
        "Migrate that database first. Nothing was changed."
    ),
    "archive_line_foreign": N_("Line {line} of {table} in the archive is none of ours. Nothing was changed."),
    "archive_contradicts_itself": N_("A row of the archive contradicts another. Nothing was changed."),
    "archive_is_here": N_("Everything in this archive is here already."),
    "import_running": N_("Another import into this database is running. Nothing was changed."),
    "database_busy": N_(
        "Something else has been writing to this database for {seconds} seconds: another import, perhaps. "
        "Nothing was changed."
    ),
    "database_not_empty": N_("This database has other data already. Import into an empty one. Nothing was changed."),
    # Invitations
    "invitations_off": N_("Invitations by mail are switched off in this program. Your link works everywhere else."),
    "own_address_unconfirmed": N_("Confirm your own address first. Then you can invite others."),
    "no_reminder_due": N_(
        "There is no reminder to send: it was sent, it is too early, they joined, or mail came back."
    ),
    "reminder_unwanted": N_("No reminder was sent: this address has an account by now, or wants no more invitations."),
    # Perks
    "perk_not_offered": N_("This perk is not offered any more."),
    "perk_locked": Plural(
        "missing", "1 more confirmed referral unlocks this.", "{missing} more confirmed referrals unlock this."
    ),
    "perk_too_dear": N_("This costs {price}, and you can spend {available} today."),
    "perk_sold_out": N_("{perk} is gone: somebody else took the last one."),
    "perk_exists": N_("This perk is in the catalogue already, on these terms."),
    "perk_name_taken": N_("There is a perk with this name already."),
    "form_sent_before": N_("This form was sent before, with another name. Open the page again to add one more perk."),
    "stock_is_coupons": N_("This perk is as many as its coupons. Add coupons instead."),
    "stock_unlimited": N_("There is no limit to this perk, so there is nothing to add."),
    "stock_too_large": N_("There can be {most} at most."),
    "has_no_coupons": N_("This perk is handed over by hand; it has no coupons."),
    "coupons_twice": N_("You typed these codes twice: {codes}. Take them out; nothing was added."),
    "coupons_known": N_("These codes are in the pool already: {codes}. Take them out; nothing was added."),
    # Mail
    "message_dropped": N_("This message was dropped because nobody wants it any more."),
    # Rules of the program: what is wrong with a value, to stand behind its name
    "setting_unknown": N_("there is no such setting; there are {settings}"),
    "setting_unreadable": N_("'{text}' is not a value for it"),
    "setting_out_of_range": N_("must be between {least} and {most}"),
    "window_out_of_range": N_("must be between {least} and {most}, as long as a visitor is remembered"),
    "currency_unknown": N_("must be the ISO 4217 code of a currency that is in use, such as EUR or JPY"),
    "timezone_unknown": N_("must be the IANA name of a time zone, such as Europe/Berlin"),
    "name_length": N_("must have {least} to {most} characters"),
    "tiers_malformed": (
        N_(
            'must be a list such as [{{"name": "Silver", "at": 10}}], each name of at most {longest} characters '
            "and each mark at most {most}"
        )
    ),
    "milestones_malformed": (
        N_(
            'must be a list such as [{{"at": 10, "bonus": 50}}], each mark from 1 to {most} '
            "and each bonus at most {largest}"
        )
    ),
    "event_type_malformed": N_(
        "must be confirmed_address, or the type of your events that earns, such as purchase: small letters, digits, "
        "dots and underscores, but not refund"
    ),
    "amount_and_share": N_("must be 0 while this side gets a fixed amount; it can be only one of the two"),
    "share_of_nothing": N_("needs an event with an amount, such as purchase, as what earns"),
    "condition_malformed": N_(
        'must be at most {most} names with values, such as {{"plan": "pro"}}, each of at most {longest} characters'
    ),
    "destination_malformed": N_(
        "must be a whole address such as https://shop.example.com/welcome, of at most {most} characters, without "
        "spaces, accents or a user name"
    ),
    "coupon_malformed": N_("must have 1 to {most} characters that can be seen"),
    "steps_not_rising": N_("must rise, each mark once"),
    "tiers_not_from_zero": N_("must begin at 0"),
    "rules_changed": N_(
        "Version {version} came in force while you were at this form. What you typed is still here: "
        "look at what changed, then preview it again."
    ),
    # Pictures that are uploaded: the same
    "picture_empty": N_("there is nothing in this file; choose a picture"),
    "picture_too_heavy": N_("this file is too heavy; use one of at most {most} MB"),
    "picture_of_another_kind": N_("this is no PNG, JPEG or WebP file"),
    "picture_too_large": N_("this picture has {width} by {height} pixels; use one of at most {most} million in all"),
    "picture_damaged": N_("this file is damaged or no picture; save it anew"),
    # The brand: the same
    "text_invisible": N_("needs a letter or a digit, and no invisible characters"),
    "accent_malformed": N_("must be a colour such as #e5342b"),
    "support_email_malformed": N_("must be a mail address such as help@example.com"),
    "url_malformed": N_("must be a whole address such as https://example.com/terms"),
    "logo_empty": N_("there is nothing in this file; choose a PNG or SVG file"),
    "logo_too_heavy": N_("this file is too heavy; use one of at most {most} kB"),
    "logo_of_another_kind": N_("this is neither a PNG nor an SVG file"),
    "logo_with_entities": N_("this SVG file defines entities, which can unfold to anything; save it as plain SVG"),
    "logo_with_style_sheet": N_("this SVG file has a style sheet; save it with “presentation attributes” instead"),
    "logo_without_size": N_("this SVG file does not say how large it is; give it a viewBox"),
    "logo_draws_nothing": N_("nothing of this SVG file can be shown; turn text and pictures in it into paths"),
    "logo_too_intricate": N_("this SVG file is too intricate; simplify it, or use a PNG file"),
    # Mails and shared messages in the operator's own words: the same
    "text_with_control_character": N_("contains an invisible control character; please type it instead of pasting"),
    "text_placeholder_unknown": N_("has {what}, which stands for nothing here; there are {known}"),
    "text_brace_stray": N_("has a brace that is none of a placeholder's; take it out"),
    "text_without_link": N_(
        "must keep its link as a paragraph of its own, such as “{example}”; what stands before the colon is yours"
    ),
    # Whatever has a number
    "no_such_account": N_("There is no account with this user name."),
    "no_such_member": N_("There is no member with this number."),
    "no_such_referral": N_("There is no referral with this number."),
    "no_such_key": N_("There is no key with this number."),
    "no_test_program": N_("There is no test program: the first test key makes it."),
    "no_such_perk": N_("There is no perk with this number."),
    "no_such_claim": N_("There is no claim with this number."),
    "no_such_webhook": N_("There is no webhook with this number."),
    "no_such_delivery": N_("There is no delivery with this number."),
    "no_such_message": N_("There is no message with this number."),
}


# What is said instead to a program, which does something for a member and is none.
FOR_PROGRAMS: dict[str, Text] = {
    "account_taken": N_("Another account has these details."),
    "email_taken": N_("Another account has proven this address."),
    "own_code_once_a_month": N_("This member chose a code this month, and can choose another one from {free_on} on."),
    "perk_too_dear": N_("This costs {price}, and the member can spend {available} today."),
}


def by_field(error: DomainError, *, to_program: bool = False) -> dict[str, str]:
    """Return what is wrong with each value at fault, by its name; "" is the whole."""
    texts = ERRORS | FOR_PROGRAMS if to_program else ERRORS
    return {field: fill(texts[code], error.values) for field, code in error.fields.items()}


def say(error: DomainError, *, to_program: bool = False) -> str:
    """Return what is wrong, for one who does not see a form beside it."""
    words = by_field(error, to_program=to_program)
    if isinstance(error, BadSetting):
        return f"{error.key}: {words[error.key]}"
    return " ".join(words.values())
