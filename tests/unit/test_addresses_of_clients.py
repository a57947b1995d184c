"""Which network a request comes from, in every form in which proxies write addresses."""

import pytest

from referralhub.security import network_of


@pytest.mark.parametrize(
    ("written", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("203.0.113.7:50001", "203.0.113.7"),  # IIS and Azure's gateway send the port along
        ("203.0.113.7:50002", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),  # a server that listens on both kinds of address
        ("::FFFF:CB00:7107", "203.0.113.7"),
        ("[::ffff:203.0.113.7]:443", "203.0.113.7"),
        ("::203.0.113.7", "203.0.113.7"),
        ("64:ff9b::203.0.113.7", "203.0.113.7"),  # NAT64
        ("2002:cb00:7107::1", "203.0.113.7"),  # 6to4
        ("2001:0:53aa:64c:0:fbff:34ff:8ef8", "203.0.113.7"),  # Teredo writes it with its bits turned round
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("[2001:db8:1:2::9]", "2001:db8:1:2::"),
        ('"[2001:db8:1:2::9]:4711"', "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("::1", "::1"),
        ("::ffff:127.0.0.1", "127.0.0.1"),
        ("unknown", "unknown"),
        ("_hidden", "_hidden"),
        ("", ""),
    ],
)
def test_a_network_is_the_same_however_its_address_is_written(written: str, network: str):
    assert network_of(written) == network
