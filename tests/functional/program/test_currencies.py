"""Money in any currency: each amount has the decimals of its own, wherever it is written or typed."""

import csv
import io
import json
import zipfile

import pytest
from babel.numbers import get_currency_precision

from referralhub.extensions import db
from referralhub.models import OutboxMessage, Program, RewardEntry, RewardKind
from referralhub.services.ledger import entries
from referralhub.services.perks import catalogue
from referralhub.services.program import rules
from referralhub.services.shared import currencies
from referralhub.words.amounts import format_amount, format_cost
from tests.people import Person, text_of

# What twenty of each are in its smallest unit, as it is read, and as one counts it.
TWENTY = [
    ("EUR", 2000, "€20.00", "20.00"),
    ("JPY", 20, "¥20", "20"),
    ("BHD", 20_000, "BHD 20.000", "20.000"),
]
one_database = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


def command(app, *words: str, expect: int = 0) -> str:
    result = app.test_cli_runner().invoke(args=["program", *words])
    assert result.exit_code == expect, result.output
    return result.output


def bring(referrer: Person, friend: Person) -> None:
    friend.click(referrer.link)
    friend.sign_up()
    friend.confirm_address()


def spaced(text: str) -> str:
    return text.replace("\u00a0", " ")


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))


@pytest.fixture(params=TWENTY, ids=lambda each: each[0])
def twenty(request, app, clock) -> tuple[str, int, str, str]:
    """A program that gives twenty of a currency to both sides, with a perk for as much."""
    currency, number, _, _ = request.param
    with app.app_context():
        rules.change(rules.PRESETS["paypal"] | {"currency": currency}, clock())
        rules.change({"referrer_amount": number, "friend_amount": number, "paid_customer_cost": 2 * number}, clock())
        catalogue.add("Voucher", "", clock(), price=number, unit=currency)
    return request.param


def test_every_page_and_mail_says_the_amount(twenty, app, alice: Person, bob: Person, visitor):
    currency, number, written, _ = twenty
    assert written in spaced(visitor.get("/").text)
    alice.sign_up()
    alice.confirm_address()
    assert f"You get {written}" in spaced(bob.click(alice.link).text)
    bob.sign_up()
    bob.confirm_address()
    page = alice.get("/dashboard/")
    assert page.stat("rewards") == number
    assert f"You get {written}, your friend gets {written}" in spaced(page.text)
    page = alice.get("/dashboard/rewards")
    assert [(b["data-balance"], b["data-value"]) for b in page.all("[data-balance]")] == [(currency, str(number))]
    assert f"+{written}" in spaced(page.text)
    assert written in spaced(page.one('[data-perk="Voucher"]').text)
    form = alice.get("/dashboard/invite").form("/dashboard/invite")
    page = alice.submit(form, 200, addresses="dora@example.com", words="")
    alice.submit(page.form("/dashboard/invite"), send="yes")
    alice.post_office.deliver()
    (confirmed,) = [each for each in alice.post_office.letters(alice.email) if "earned" in each["Subject"]]
    assert spaced(confirmed["Subject"]) == f"bob joined: you earned {written}"
    assert f"You earned {written}." in spaced(text_of(confirmed))
    (invitation,) = alice.post_office.letters("dora@example.com")
    assert f"gives you {written}." in spaced(text_of(invitation))


def test_the_panel_and_what_is_taken_away_have_it_too(twenty, app, admin: Person, alice: Person, bob: Person):
    currency, number, written, counted = twenty
    alice.sign_up()
    bring(alice, bob)
    costs = spaced(admin.get("/admin/").one("#costs").text)
    assert written in costs
    # Two credits of twenty for one friend; a paid customer costs as much.
    assert spaced(f"confirmed friend cost {format_cost(2 * number, currency)}") in costs
    (row,) = rows_of(admin.file("/admin/growth/costs.csv").get_data().decode("utf-8-sig"))
    assert (row["unit"], row["net"], row["currency"], row["cost"]) == (
        currency, str(2 * number), currency, str(2 * number)
    )  # fmt: skip
    assert written in spaced(admin.get("/admin/program/").text)
    form = admin.get("/admin/program/edit").form("/admin/program/preview")
    assert form.one('[name="referrer_amount"]')["value"] == counted
    listed = rows_of(admin.file("/admin/rewards/rows.csv").get_data().decode("utf-8-sig"))
    assert {(row["Amount"], row["Unit"]) for row in listed} == {(counted, currency)}
    assert counted in admin.get("/admin/rewards/").text
    with zipfile.ZipFile(io.BytesIO(alice.client.get("/account/export").data)) as pack:
        (line,) = rows_of(pack.read("ledger.csv").decode())
        assert (line["amount"], line["balance"], line["unit"]) == (counted, counted, currency)
        (entry,) = json.loads(pack.read("everything.json"))["ledger"]
        assert (entry["amount"], entry["unit"]) == (number, currency)
    said = json.loads(command(app, "show", "--json"))
    assert (said["unit"], said["currency"], said["referrer_amount"]) == ("money", currency, number)
    assert spaced(f"{number}  ({written})") in spaced(command(app, "show"))


def test_amounts_are_typed_with_the_decimals_of_the_currency(twenty, admin: Person, alice: Person, records, clock):
    currency, number, _, counted = twenty
    alice.sign_up()
    page = admin.get("/admin/members/2/")
    admin.submit(page.form("/admin/members/2/adjust"), **{"adjust-amount": counted, "adjust-reason": "a present"})
    entry = records.one(RewardEntry)
    assert (entry.amount, entry.unit) == (number, currency)
    assert f"amount {counted}" not in page.text
    again = admin.get("/admin/members/2/").form("/admin/members/2/adjust")
    wrong = f"{counted}0" if "." in counted else "20.00"
    answer = admin.submit(again, 422, **{"adjust-amount": wrong, "adjust-reason": "a present"})
    assert f"such as 20{'' if counted == '20' else f' or {counted}'}." in answer.text
    costs = admin.get("/admin/").form("/admin/costs")
    admin.submit(costs, paid_customer_cost=counted, thousand_units_cost="1")
    assert records.all(Program)[-1].paid_customer_cost == number


class TestOnTheCommandLine:
    def test_a_currency_is_set_in_any_case_and_nothing_is_converted(self, app, alice: Person, bob: Person, records):
        command(app, "preset", "paypal")
        alice.sign_up()
        bring(alice, bob)
        command(app, "set", "currency", "jpy")
        assert "2000  (¥2,000)" in command(app, "show")
        assert {entry.unit for entry in records.all(RewardEntry)} == {"USD"}
        balances = alice.get("/dashboard/rewards").all("[data-balance]")
        assert [(b["data-balance"], b["data-value"]) for b in balances] == [("JPY", "0"), ("USD", "2000")]

    def test_a_preset_of_money_sets_its_currency_and_any_other_leaves_it(self, app, records):
        command(app, "set", "currency", "JPY")
        command(app, "preset", "dropbox")
        assert records.all(Program)[-1].currency == "JPY"
        command(app, "preset", "paypal")
        assert (records.all(Program)[-1].currency, records.all(Program)[-1].ledger_unit) == ("USD", "USD")

    def test_what_things_cost_is_not_known_in_another_currency_until_somebody_says_it(self, app, clock, records):
        with app.app_context():
            rules.change({"paid_customer_cost": 4000, "thousand_units_cost": 100}, clock())
            rules.change({"currency": "EUR", "thousand_units_cost": 100}, clock())
        program = records.all(Program)[-1]
        assert (program.paid_customer_cost, program.thousand_units_cost) == (None, 100)

    def test_the_former_name_of_dollars_is_understood(self, app, records):
        command(app, "set", "currency", "EUR")
        command(app, "set", "unit", "us_cents")
        program = records.all(Program)[-1]
        assert (program.unit, program.currency) == ("money", "USD")
        result = app.test_cli_runner().invoke(args=["perks", "add", "Mug", "--price", "500", "--unit", "us_cents"])
        assert result.exit_code == 0, result.output
        with app.app_context():
            assert catalogue.offers(1)[0].unit == "USD"

    @one_database
    @pytest.mark.parametrize("text", ["XXX", "DEM", "€", "EURO", "none", ""])
    def test_what_is_no_currency_today_is_refused(self, app, records, text: str):
        assert "ISO 4217" in command(app, "set", "currency", text, expect=1)
        records.one(Program)


def test_credit_in_another_currency_is_not_reckoned_as_the_programs(app, admin: Person, alice: Person, records, clock):
    alice.sign_up()

    def given() -> None:
        entries.post(db.session(), 2, RewardKind.ADJUSTMENT, 250, "USD", clock())
        entries.post(db.session(), 2, RewardKind.ADJUSTMENT, 300, "EUR", clock())

    records.change(given)
    command(app, "set", "currency", "EUR")
    section = admin.get("/admin/").one("#costs")
    assert [cell.text for cell in section.one('[data-kind="cost"]').all("td")] == ["€3.00", "not known"]
    assert "there was credit in another currency, USD" in section.one('[data-figure="per-friend"]').text


def test_the_largest_reward_fits_even_in_a_currency_of_small_units(app, clock, alice: Person, bob: Person, charlie):
    with app.app_context():
        rules.change(rules.PRESETS["paypal"] | {"currency": "IDR", "referrer_amount": rules.LARGEST}, clock())
    alice.sign_up()
    for friend in (bob, charlie, Person(app, alice.post_office, "dora")):
        bring(alice, friend)
    assert "IDR 30,000,000.00" in spaced(alice.get("/dashboard/rewards").text)
    assert alice.get("/dashboard/").stat("rewards") == 3 * rules.LARGEST


@one_database
def test_an_audit_line_of_before_reads_in_dollars(app, admin: Person, alice: Person, records, clock):
    from referralhub.services.shared import audit

    alice.sign_up()

    def write() -> None:
        before, after = {"balance": 0, "unit": "us_cents"}, {"balance": 2000, "unit": "us_cents"}
        audit.record(db.session(), audit.OPERATOR, "member.adjust", "member", 2, before, after, clock())

    records.change(write)
    assert "balance: $0.00 → $20.00" in admin.get("/admin/audit/").text


@one_database
def test_a_mail_that_waits_says_what_was_credited(twenty, alice: Person, bob: Person, records):
    alice.sign_up()
    bring(alice, bob)
    payload = records.one(OutboxMessage, kind="referral_confirmed").payload
    assert (payload["amount"], payload["unit"]) == (twenty[1], twenty[0])


@pytest.mark.parametrize(
    ("number", "unit", "written"),
    [(-2000, "EUR", "-€20.00"), (5, "BHD", "BHD 0.005"), (123456, "JPY", "¥123,456"), (150, "XOF", "F CFA 150")],
)
def test_amounts_of_money_as_people_write_them(number: int, unit: str, written: str):
    assert spaced(format_amount(number, unit)).replace("\u202f", " ") == written


@pytest.mark.parametrize(
    ("number", "currency", "written"),
    [(1.234, "USD", "$0.0123"), (0, "EUR", "€0.00"), (200.4, "JPY", "¥200"), (-3.2, "JPY", "-¥3.2")],
)
def test_what_costs_next_to_nothing_has_more_decimals(number: float, currency: str, written: str):
    assert format_cost(number, currency) == written


def test_babel_divides_currencies_as_it_did_when_amounts_were_written():
    """The ledger has whole numbers: should a release of Babel divide a currency otherwise, they mean other amounts."""
    divided = {0: set(), 2: set(), 3: set()}
    for code in currencies.codes():
        divided[get_currency_precision(code)].add(code)
    assert divided[3] == {"BHD", "JOD", "KWD", "LYD", "OMR", "TND"}
    assert " ".join(sorted(divided[0])) == (
        "AFN ALL BIF CLP DJF GNF IQD IRR ISK JPY KMF KPW KRW LAK LBP MGA MMK PYG RSD RWF SOS SYP UGX VND VUV XAF XOF "
        "XPF YER"
    )
