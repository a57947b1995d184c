"""What webhooks say that only the edge knows: addresses of ours, and words, which are English for programs."""

from referralhub.languages import SOURCE, speaking
from referralhub.models import Reason
from referralhub.services.webhooks.states import Words
from referralhub.urls import public_url
from referralhub.words.referrals import member_name, reason


def _link(code: str) -> str:
    return public_url("landing.follow", code=code)


def _name(name: str) -> str:
    with speaking(SOURCE):
        return member_name(name)


def _why(why: Reason) -> str:
    with speaking(SOURCE):
        return reason(why)


WORDS = Words(_link, _name, _why)
