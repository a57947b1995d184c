"""What the fraud rules found, in words."""

from typing import Any, NamedTuple

from referralhub.services.fraud.assessment import Verdict
from referralhub.services.fraud.rules import Finding
from referralhub.services.referrals.review import Group, GroupKind

VERDICTS = {
    Verdict.CLEAR: "clear",
    Verdict.REVIEW: "review",
    Verdict.LIKELY_FRAUD: "likely fraud",
    Verdict.INCOMPLETE: "check incomplete",
}


class FindingText(NamedTuple):
    """A sentence about a finding, and the two things that were compared."""

    sentence: str
    one: str
    other: str


FINDINGS = {
    "same_browser": FindingText("The referrer was signed in with this browser before.", "{friend}", "{referrer}"),
    "ring": FindingText(
        "Members who brought each other were signed in with this browser.",
        "{above} above, {beside} beside",
        "the referrer's tree",
    ),
    "same_address": FindingText("Both addresses lead to the same mailbox.", "{address}", "{other}"),
    "referred_before": FindingText(
        "A friend with this mailbox was referred before, and has left it.", "{address}", "a former address"
    ),
    "erased_in_browser": FindingText(
        "Friends who erased their accounts were signed in with this browser before.", "{accounts} erased", "none"
    ),
    "trap": FindingText("A field was filled in that is hidden from people.", "filled in", "empty"),
    "disposable": FindingText("The address is from a throw-away service.", "…@{domain}", "on the list"),
    "sequence": FindingText("{friends} friends just before or after have nearly the same name.", "{name}", "{other}"),
    "namesake": FindingText("Friend and referrer have nearly the same name.", "{friend}", "{referrer}"),
    "fast_form": FindingText("The form was filled in faster than anybody types.", "{seconds} s", "{least} s"),
    "fast_friends": FindingText(
        "Friends just before or after filled in the form as fast.", "{friends} friends", "{most} at most"
    ),
    "same_network_and_browser": FindingText(
        "Friend and referrer used one network and the same kind of browser that day.",
        "the same day",
        "the referrer's network and browser",
    ),
    "same_network_and_browser_minutes_apart": FindingText(
        "Friend and referrer used one network and the same kind of browser that day, minutes apart.",
        "minutes after the referrer",
        "the referrer's network and browser",
    ),
    "same_network": FindingText(
        "Friend and referrer used one network that day.", "another browser", "the referrer's network"
    ),
    "cluster": FindingText(
        "Those who brought the referrer used this network and kind of browser that day, too.",
        "{above} above",
        "{most} at most",
    ),
    "shared_connection": FindingText(
        "Several friends came within an hour from one network with the same kind of browser.",
        "{friends} friends",
        "{most} at most",
    ),
    "rhythm": FindingText("Friends came at nearly equal intervals.", "{uneven:.0%} apart from even", "{least:.0%}"),
    "velocity": FindingText(
        "Far more friends came within an hour than usual.", "{last_hour} an hour", "{usual_hour:.1f} usually"
    ),
    "conversion": FindingText("Nearly every visitor of the day signed up.", "{share:.0%}", "{most:.0%}"),
    "one_domain": FindingText(
        "The friends just before or after have addresses of the same domain, which is not the referrer's.",
        "{friends} at {domain}",
        "{most} at most",
    ),
    "shared_company": FindingText("Friend and referrer have addresses of one company.", "{domain}", "{domain}"),
    "as_written": FindingText("{text}", "{one}", "{other}"),
}


def sentence(finding: Finding) -> str:
    """Return what was found as a sentence."""
    return FINDINGS[finding.code].sentence.format_map(finding.values)


def compared(finding: Finding) -> tuple[str, str]:
    """Return the two things that were compared."""
    text = FINDINGS[finding.code]
    return text.one.format_map(finding.values), text.other.format_map(finding.values)


def rule_name(rule: str) -> str:
    """Return the name of a rule: "same network"."""
    return rule.replace("_", " ")


def group_title(group: Group) -> str:
    """Return what the cases of a group have in common."""
    match group.kind:
        case GroupKind.NETWORK:
            return "From one network"
        case GroupKind.RULES:
            return " and ".join(map(rule_name, group.rules)).capitalize()
        case GroupKind.PERSON:
            return "Held by a person"
        case GroupKind.SINGLE:
            return "Like no other"


FILTERS: dict[str, Any] = {
    "compared": compared,
    "group_title": group_title,
    "rule_name": rule_name,
    "sentence": sentence,
    "verdict": VERDICTS.__getitem__,
}
