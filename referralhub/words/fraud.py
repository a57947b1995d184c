"""What the fraud rules found, in words."""

from typing import Any, NamedTuple

from babel.lists import format_list
from flask_babel import gettext as _

from referralhub.services.fraud.assessment import Verdict
from referralhub.services.fraud.rules import Finding
from referralhub.services.referrals.review import Group, GroupKind
from referralhub.words.language import N_, locale, translated
from referralhub.words.text import sentence_case

VERDICTS = {
    Verdict.CLEAR: N_("clear"),
    Verdict.REVIEW: N_("review"),
    Verdict.LIKELY_FRAUD: N_("likely fraud"),
    Verdict.INCOMPLETE: N_("check incomplete"),
}

RULES = {
    "same_browser": N_("same browser"),
    "ring": N_("ring"),
    "same_address": N_("same address"),
    "referred_before": N_("referred before"),
    "erased_in_browser": N_("erased in browser"),
    "trap": N_("trap"),
    "disposable": N_("disposable"),
    "sequence": N_("sequence"),
    "namesake": N_("namesake"),
    "fast_form": N_("fast form"),
    "fast_friends": N_("fast friends"),
    "same_network_and_browser": N_("same network and browser"),
    "same_network": N_("same network"),
    "cluster": N_("cluster"),
    "shared_connection": N_("shared connection"),
    "rhythm": N_("rhythm"),
    "velocity": N_("velocity"),
    "conversion": N_("conversion"),
    "one_domain": N_("one domain"),
    "shared_company": N_("shared company"),
}


class FindingText(NamedTuple):
    """A sentence about a finding, and the two things that were compared."""

    sentence: str
    one: str
    other: str


FINDINGS = {
    "same_browser": FindingText(
        N_("The referrer was signed in with this browser before."), N_("{friend}"), N_("{referrer}")
    ),
    "ring": FindingText(
        N_("Members who brought each other were signed in with this browser."),
        N_("{above} above, {beside} beside"),
        N_("the referrer's tree"),
    ),
    "same_address": FindingText(N_("Both addresses lead to the same mailbox."), N_("{address}"), N_("{other}")),
    "referred_before": FindingText(
        N_("A friend with this mailbox was referred before, and has left it."), N_("{address}"), N_("a former address")
    ),
    "erased_in_browser": FindingText(
        N_("Friends who erased their accounts were signed in with this browser before."),
        N_("{accounts} erased"),
        N_("none"),
    ),
    "trap": FindingText(N_("A field was filled in that is hidden from people."), N_("filled in"), N_("empty")),
    "disposable": FindingText(N_("The address is from a throw-away service."), N_("…@{domain}"), N_("on the list")),
    "sequence": FindingText(
        N_("{friends} friends just before or after have nearly the same name."), N_("{name}"), N_("{other}")
    ),
    "namesake": FindingText(N_("Friend and referrer have nearly the same name."), N_("{friend}"), N_("{referrer}")),
    "fast_form": FindingText(
        N_("The form was filled in faster than anybody types."), N_("{seconds} s"), N_("{least} s")
    ),
    "fast_friends": FindingText(
        N_("Friends just before or after filled in the form as fast."), N_("{friends} friends"), N_("{most} at most")
    ),
    "same_network_and_browser": FindingText(
        N_("Friend and referrer used one network and the same kind of browser that day."),
        N_("the same day"),
        N_("the referrer's network and browser"),
    ),
    "same_network_and_browser_minutes_apart": FindingText(
        N_("Friend and referrer used one network and the same kind of browser that day, minutes apart."),
        N_("minutes after the referrer"),
        N_("the referrer's network and browser"),
    ),
    "same_network": FindingText(
        N_("Friend and referrer used one network that day."), N_("another browser"), N_("the referrer's network")
    ),
    "cluster": FindingText(
        N_("Those who brought the referrer used this network and kind of browser that day, too."),
        N_("{above} above"),
        N_("{most} at most"),
    ),
    "shared_connection": FindingText(
        N_("Several friends came within an hour from one network with the same kind of browser."),
        N_("{friends} friends"),
        N_("{most} at most"),
    ),
    "rhythm": FindingText(
        N_("Friends came at nearly equal intervals."), N_("{uneven:.0%} apart from even"), N_("{least:.0%}")
    ),
    "velocity": FindingText(
        N_("Far more friends came within an hour than usual."),
        N_("{last_hour} an hour"),
        N_("{usual_hour:.1f} usually"),
    ),
    "conversion": FindingText(N_("Nearly every visitor of the day signed up."), N_("{share:.0%}"), N_("{most:.0%}")),
    "one_domain": FindingText(
        N_("The friends just before or after have addresses of the same domain, which is not the referrer's."),
        N_("{friends} at {domain}"),
        N_("{most} at most"),
    ),
    "shared_company": FindingText(
        N_("Friend and referrer have addresses of one company."), N_("{domain}"), N_("{domain}")
    ),
    "as_written": FindingText(N_("{text}"), N_("{one}"), N_("{other}")),
}


def verdict(of: Verdict) -> str:
    """Return a verdict in words: "likely fraud"."""
    return translated(VERDICTS[of])


def sentence(finding: Finding) -> str:
    """Return what was found as a sentence."""
    return translated(FINDINGS[finding.code].sentence).format_map(finding.values)


def compared(finding: Finding) -> tuple[str, str]:
    """Return the two things that were compared."""
    text = FINDINGS[finding.code]
    return translated(text.one).format_map(finding.values), translated(text.other).format_map(finding.values)


def rule_name(rule: str) -> str:
    """Return the name of a rule: "same network"."""
    return translated(RULES.get(rule, rule))


def group_title(group: Group) -> str:
    """Return what the cases of a group have in common."""
    match group.kind:
        case GroupKind.NETWORK:
            return _("From one network")
        case GroupKind.RULES:
            names = [rule_name(rule) for rule in group.rules]
            return sentence_case(format_list(names, locale=locale()))
        case GroupKind.PERSON:
            return _("Held by a person")
        case GroupKind.SINGLE:
            return _("Like no other")


FILTERS: dict[str, Any] = {
    "compared": compared,
    "group_title": group_title,
    "rule_name": rule_name,
    "sentence": sentence,
    "verdict": verdict,
}
