"""The companies of the founding article, each told to its end: what happened there happens here."""

from urllib.parse import urlsplit

import pytest

from referralhub.extensions import db
from referralhub.models import Program, Reason, Referral, RewardEntry, Unit
from referralhub.services.perks import catalogue
from referralhub.services.program import rules
from referralhub.services.referrals import lifecycle
from referralhub.services.shared.audit import OPERATOR
from tests.people import Person, path_of
from tests.pictures import decoded, encoded, face


@pytest.fixture
def preset(app, clock):
    """Put a preset in force."""

    def choose(name: str) -> None:
        with app.app_context():
            rules.change(rules.PRESETS[name], clock())

    return choose


def bring(referrer: Person, friend: Person) -> None:
    """Let a friend join by a member's link and confirm."""
    friend.click(referrer.link)
    friend.sign_up()
    friend.confirm_address()


def ledger(records) -> list[tuple[int, str, int, str, int]]:
    """Give the ledger: member, kind, amount, unit, balance."""
    return [(e.profile_id, e.kind.value, e.amount, e.unit, e.balance) for e in records.all(RewardEntry)]


def test_dropbox_gives_storage_to_both_sides(preset, alice, bob, charlie, records):
    preset("dropbox")
    alice.sign_up()
    bring(alice, bob)
    bring(alice, charlie)
    assert ledger(records) == [
        (1, "referrer", 500, "megabytes", 500),
        (2, "friend", 500, "megabytes", 500),
        (1, "referrer", 500, "megabytes", 1000),
        (3, "friend", 500, "megabytes", 500),
    ]
    assert "1,000 MB" in alice.get("/dashboard/").text
    assert "500 MB" in bob.get("/dashboard/rewards").text


def test_dropbox_ends_at_sixteen_gigabytes(preset, app, clock, alice, bob, charlie, records):
    preset("dropbox")
    with app.app_context():
        rules.change({"member_cap": 700}, clock())  # the same rule, reached with fewer friends
    alice.sign_up()
    bring(alice, bob)
    bring(alice, charlie)
    assert [(amount, balance) for who, _, amount, _, balance in ledger(records) if who == 1] == [(500, 500), (200, 700)]
    with app.app_context():
        assert rules.PRESETS["dropbox"]["member_cap"] == 16_000


def test_paypal_gives_twenty_dollars_to_both_and_invites_by_mail(preset, alice, bob, records):
    preset("paypal")
    alice.sign_up()
    bring(alice, bob)
    assert ledger(records) == [(1, "referrer", 2000, "USD", 2000), (2, "friend", 2000, "USD", 2000)]
    assert "$20.00" in alice.get("/dashboard/rewards").text
    assert records.all(Program)[-1].email_invitations


def test_airbnb_welcomes_by_name_with_twenty_five_dollars(preset, alice, bob, records):
    """A member shows herself and says a line, a friend meets her on the page, and both are credited."""
    preset("airbnb")
    alice.sign_up()
    form = alice.get("/account/profile").form("/account/profile")
    alice.submit(form, display_name="Alice Lindgren", greeting="Come along, it is lovely here!")
    form = alice.get("/account/profile").form("/account/picture")
    alice.upload(form, picture=encoded(face(), "JPEG"))

    arrived = bob.get(path_of(alice.link), 302)
    assert urlsplit(arrived.location).path == "/join"
    assert "lice" not in arrived.location
    page = bob.follow(arrived)
    assert page.one("h1").text == "Alice Lindgren invites you to ReferralHub"
    assert page.one("blockquote").text == "Come along, it is lovely here!"
    shown = decoded(bob.file(page.one('img[class="avatar huge"]')["src"]).data)
    assert (shown.format, shown.size) == ("WEBP", (256, 256))
    assert [(each.text, given.text) for each, given in zip(page.all("dt"), page.all("dd"), strict=True)] == [
        ("You get", "$25.00"), ("Alice Lindgren gets", "$25.00")
    ]  # fmt: skip

    names = {"username": "bob", "email": bob.email, "password": bob.password, "password_confirm": bob.password}
    assert bob.submit(page.form("/join"), **names).location == "/dashboard/"
    assert ledger(records) == []
    bob.confirm_address()
    assert ledger(records) == [(1, "referrer", 2500, "USD", 2500), (2, "friend", 2500, "USD", 2500)]
    for person in (alice, bob):
        assert "$25.00" in person.get("/dashboard/rewards").text


def test_tesla_gives_no_points_but_places_and_perks(preset, app, clock, alice, bob, records):
    preset("tesla")
    with app.app_context():
        catalogue.add("Founders Series wall charger", "", clock(), unlocked_at=1)
        catalogue.add("An invitation to the unveiling", "", clock(), unlocked_at=5)
    alice.sign_up()
    alice.confirm_address()
    page = alice.get("/dashboard/rewards")
    assert not page.all('form[action="/dashboard/perks/1/redeem"]')
    bring(alice, bob)
    assert ledger(records) == []
    for page in (alice.get("/dashboard/"), Person(app, alice.post_office, "dora").click(alice.link)):
        assert "You get 0" not in page.text
        assert "gets 0" not in page.text
    alice.post_office.deliver()
    assert "bob joined" in [letter["Subject"] for letter in alice.post_office.letters(alice.email)]
    page = alice.get("/dashboard/rewards")
    assert "4 to go" in page.one('[data-perk="An invitation to the unveiling"]').text
    alice.follow(alice.submit(page.form("/dashboard/perks/1/redeem")))
    assert "on its way" in alice.get("/dashboard/rewards").one('[data-claim="Founders Series wall charger"]').text
    assert alice.get("/leaderboard").leaders == [(1, "alice", 1)]


def test_a_referral_keeps_the_rules_it_began_under(preset, alice, bob, charlie, records):
    alice.sign_up()
    bob.click(alice.link)
    bob.sign_up()
    preset("paypal")
    bob.confirm_address()
    bring(alice, charlie)
    assert ledger(records) == [
        (1, "referrer", 10, "points", 10),
        (1, "referrer", 2000, "USD", 2000),
        (3, "friend", 2000, "USD", 2000),
    ]
    balances = alice.get("/dashboard/rewards").all("[data-balance]")
    assert [(b["data-balance"], b["data-value"]) for b in balances] == [("USD", "2000"), ("points", "10")]


def test_a_milestone_gives_its_bonus_once_and_loses_it_below_the_mark(app, clock, alice, bob, charlie, records):
    with app.app_context():
        rules.change({"milestones": [{"at": 2, "bonus": 50}]}, clock())
    alice.sign_up()
    bring(alice, bob)
    bring(alice, charlie)
    assert [e[1:3] for e in ledger(records)] == [("referrer", 10), ("referrer", 10), ("milestone", 50)]
    with app.app_context():
        lifecycle.reverse(records.all(Referral)[0].id, OPERATOR, Reason.stated("a duplicate"), clock())
    assert [e[1:] for e in ledger(records)][3:] == [
        ("reversal", -10, "points", 60),
        ("reversal", -50, "points", 10),
    ]
    dora = Person(app, alice.post_office, "dora")
    bring(alice, dora)
    assert [e[1:] for e in ledger(records)][5:] == [("referrer", 10, "points", 20), ("milestone", 50, "points", 70)]


class TestSettings:
    @pytest.mark.parametrize(
        ("key", "text", "value"),
        [
            ("referrer_amount", "25", 25),
            ("unit", "megabytes", Unit.MEGABYTES),
            ("member_cap", "1000", 1000),
            ("personal_landing", "true", True),
            ("tiers", '[{"name": "Member", "at": 0}]', [{"name": "Member", "at": 0}]),
            ("destination", "https://shop.example.com/?a=1", "https://shop.example.com/?a=1"),
            ("qualifies_on", "purchase", "purchase"),
            ("condition", '{"plan": "pro", "seats": 3}', {"plan": "pro", "seats": 3}),
            ("earning_events", "none", None),
            ("handed_over", "true", True),
        ],
    )
    def test_each_change_is_a_new_version(self, app, clock, records, key: str, text: str, value: object):
        with app.app_context():
            rules.change(rules.parse(key, text), clock())
        versions = records.all(Program)
        assert [program.version for program in versions] == [1, 2]
        assert getattr(versions[1], key) == value

    def test_a_value_that_is_in_force_makes_no_version(self, app, clock, records):
        with app.app_context():
            for _ in range(2):
                rules.change(rules.parse("member_cap", "1000"), clock())
            rules.change(rules.parse("member_cap", "none"), clock())
            rules.change(rules.PRESETS["referralhub"], clock())
        assert [program.member_cap for program in records.all(Program)] == [None, 1000, None]

    @pytest.mark.parametrize(
        ("key", "text"),
        [
            ("colour", "red"),
            ("referrer_amount", "-1"),
            ("referrer_amount", "1.5"),
            ("referrer_amount", "99999999999"),
            ("window_days", "0"),
            ("window_days", "31"),
            ("unit", "bananas"),
            ("tiers", "[]"),
            ("tiers", '[{"name": "Gold", "at": 5}]'),
            ("tiers", '[{"name": "A", "at": 0}, {"name": "B", "at": 0}]'),
            ("tiers", '[{"name": "A", "at": 0}, {"name": 7, "at": 5}]'),
            ("tiers", '[{"name": "A", "at": 0}, {"name": "B", "at": true}]'),
            ("tiers", '[{"name": "A", "at": 0, "colour": "red"}]'),
            ("milestones", '[{"at": 0, "bonus": 5}]'),
            ("milestones", '{"at": 1}'),
            ("personal_landing", "maybe"),
            ("name", ""),
            ("destination", "shop"),
            ("destination", "//shop.example.com/"),
            ("friend_coupon", " "),
            ("qualifies_on", "refund"),
            ("referrer_share", "1250"),
            ("friend_share", "10001"),
            ("condition", "plan"),
            ("condition", '{"plan": ["pro"]}'),
            ("condition", '{"plan": "a\\u0000b"}'),
            ("earning_events", "0"),
        ],
    )
    def test_nonsense_is_refused_with_a_reason(self, app, clock, records, key: str, text: str):
        result = app.test_cli_runner().invoke(args=["program", "set", "--", key, text])
        assert result.exit_code == 1
        assert result.output.startswith(f"Error: {key}: ")
        records.one(Program)

    def test_a_product_s_terms_are_shown_as_people_write_them(self, run):
        for key, value in (
            ("qualifies_on", "purchase"), ("referrer_amount", "0"), ("referrer_share", "1250"), ("monthly_cap", "5000"),
            ("least_amount", "2000"), ("destination", "https://shop.example.com/"),
        ):  # fmt: skip
            run("program", "set", key, value)
        lines = dict(line.split(None, 1) for line in run("program", "show").stdout.splitlines())
        assert lines["referrer_share"] == "1250  (12.5%)"
        assert (lines["monthly_cap"], lines["least_amount"]) == ("5000  ($50.00)", "2000  ($20.00)")
        run("program", "set", "destination", "none")
        assert "shop" not in run("program", "show").stdout

    def test_lists_of_before_that_would_be_refused_today_stand_in_nobodys_way(self, app, clock, records):
        with app.app_context():
            odd = [{"name": "A", "at": 0, "colour": "red"}, {"name": "B" * 60, "at": 5}]
            db.session.add(Program(version=2, created=clock(), **rules.DEFAULT | {"tiers": odd}))
            db.session.commit()
            rules.change({"hold_days": 3}, clock())
        assert records.all(Program)[-1].hold_days == 3
