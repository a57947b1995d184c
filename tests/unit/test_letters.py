"""How values are filled into a letter."""

import pytest

from referralhub.services.mailing.letters import filled

VALUES = {"name": "", "friend": "Bo B.", "brand": "Tea & Co.", "promise": "It counts.", "tier": "Gold"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Hello {name},", "Hello,"),
        ("{name}, hello", ", hello"),
        ("Join {brand}. It is good.", "Join Tea & Co. It is good."),
        ("{friend} joined {brand}.", "Bo B. joined Tea & Co."),
        ("By {friend}, {friend}: {friend}", "By Bo B., Bo B.: Bo B."),
        ("You are {tier} now. You are {tier}.", "You are Gold now. You are Gold."),
        ("{friend} came. {promise}", "Bo B. came. It counts."),
    ],
)
def test_nothing_is_left_of_an_empty_value_and_no_full_stop_is_doubled(text: str, said: str):
    assert filled(text, VALUES) == said
