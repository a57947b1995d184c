"""From a followed link to a credit: the one flow that everything else serves."""

from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from referralhub.models import (
    Channel,
    MessageKind,
    OutboxMessage,
    Profile,
    Referral,
    ReferralEvent,
    ReferralState,
    RewardEntry,
    RewardKind,
    User,
)
from referralhub.services.accounts.signup import sign_up
from referralhub.services.referrals.attribution import FollowedLink
from tests.pages import Visitor
from tests.people import Person, PostOffice, link_in, path_of, text_of


def test_friend_follows_the_link_joins_and_confirms_then_the_referrer_is_credited(
    alice: Person, bob: Person, post_office: PostOffice, records
):
    alice.sign_up()
    alice.confirm_address()

    form = bob.click(alice.link)
    assert urlsplit(form.response.request.path).path == "/signup"
    assert "alice" in form.text

    dashboard = bob.arrive()
    assert dashboard.one("#referral-link")["value"].startswith("http://localhost/")

    # The account is there at once; the credit waits.
    referral = records.one(Referral)
    assert referral.state is ReferralState.PENDING
    assert alice.get("/dashboard/").stat("total_referrals") == 0
    assert alice.get("/dashboard/").stat("pending") == 1
    assert records.all(RewardEntry) == []

    # The letter holds the link; looking at it confirms nothing, for mail scanners look too.
    path = bob.verification_path()
    before = records.everything()
    question = bob.get(path)
    assert records.everything() == before

    bob.submit(question.form(path))
    assert records.one(Referral).state is ReferralState.CONFIRMED
    trail = [(event.from_state, event.to_state, event.reason_code) for event in records.all(ReferralEvent)]
    assert trail == [
        (None, ReferralState.PENDING, "signed_up"),
        (ReferralState.PENDING, ReferralState.CONFIRMED, "address_verified"),
    ]
    entry = records.one(RewardEntry)
    assert (entry.kind, entry.amount, entry.referral_id) == (RewardKind.REFERRER, 10, referral.id)

    page = alice.get("/dashboard/")
    assert (page.stat("total_referrals"), page.stat("rewards"), page.stat("pending")) == (1, 10, 0)
    assert page.referrals == [("bob", "confirmed")]

    post_office.deliver()
    letters = [letter for letter in post_office.letters(alice.email) if "bob" in text_of(letter)]
    assert [letter["Subject"] for letter in letters] == [
        "bob joined by your link",
        "bob joined: you earned 10 points",
        "A new badge: your first referral",
    ]
    assert "10 points" in text_of(letters[1])


def test_confirming_again_changes_nothing_and_says_so(alice: Person, bob: Person, records):
    alice.sign_up()
    bob.click(alice.link)
    bob.sign_up()
    path = bob.verification_path()
    form = bob.get(path).form(path)
    bob.submit(form)
    bob.get("/dashboard/")
    before = records.everything()

    again = bob.follow(bob.submit(form))
    assert "confirmed before" in again.text
    assert records.everything() == before


def test_confirming_works_in_a_browser_that_is_not_signed_in(alice: Person, visitor: Visitor, records):
    alice.sign_up()
    path = alice.verification_path()
    confirmed = visitor.submit(visitor.get(path).form(path))
    assert confirmed.location == "/login"
    assert records.one(User).verified_at is not None


def test_the_link_in_the_session_is_used_up_by_the_signup(alice: Person, bob: Person, charlie: Person, records):
    alice.sign_up()
    bob.click(alice.link)
    bob.sign_up()
    bob.sign_out()
    charlie.client = bob.client  # the same browser, another person
    assert "alice" not in charlie.get("/signup").text
    charlie.sign_up()
    assert records.one(Profile, id=3).referred_by_id is None


def test_without_verification_the_credit_is_given_at_signup(make_app, records):
    app = make_app(require_email_verification=False)
    post_office = PostOffice(app)
    alice, bob = (Person(app, post_office, name) for name in ("alice", "bob"))
    alice.sign_up()
    bob.click(alice.link)
    bob.sign_up()
    assert alice.get("/dashboard/").stat("rewards") == 10
    assert records.one(Referral).state is ReferralState.CONFIRMED
    assert [message.kind for message in records.all(OutboxMessage)] == [
        MessageKind.FRIEND_JOINED,
        MessageKind.REFERRAL_CONFIRMED,
        MessageKind.BADGE_EARNED,
    ]


@pytest.mark.parametrize(
    "change",
    [
        str.lower, str.upper, lambda code: f"  {code} ",
        lambda code: f"https://refer.example.com/{code}/", lambda code: f" http://localhost/{code}?via=x\n",
        lambda code: f"refer.example.com/{code.upper()}/?via=whatsapp&i=abcdefgh.x#top",
    ],
)  # fmt: skip
def test_a_code_can_be_typed_in_any_case(alice: Person, bob: Person, records, change):
    alice.sign_up()
    bob.sign_up(referral_code=change(alice.code))
    referral = records.one(Referral)
    assert (referral.referrer_id, referral.channel) == (1, Channel.CODE)


def test_a_click_that_is_stamped_after_the_signup_counts(app, alice: Person, clock, records):
    """The clocks of two web servers differ by some milliseconds."""
    alice.sign_up()
    ahead = FollowedLink(alice.code, Channel.LINK, clock() + timedelta(milliseconds=300))
    with app.app_context():
        sign_up("bob", "bob@example.com", "bob likes tea", ahead, clock())
    referral = records.one(Referral)
    assert referral.visited_at == referral.created == clock()


def test_an_unknown_typed_code_is_refused_and_nothing_is_written(bob: Person, records):
    before = records.everything()
    page = bob.fill_in_signup(expect=422, referral_code="zzzzzzzz")
    assert "don't know this code" in page.error_at("referral_code")
    assert page.one('[name="username"]')["value"] == "bob"
    assert records.everything() == before


def test_a_member_who_clicks_a_link_gains_no_referrer(alice: Person, bob: Person, records):
    alice.sign_up()
    bob.sign_up()
    notice = bob.follow(bob.get(path_of(alice.link), 302))
    assert "already have an account" in notice.text
    bob.sign_out()
    bob.click(alice.link)
    bob.sign_in()
    assert records.one(Profile, id=2).referred_by_id is None
    assert records.all(Referral) == []


def test_own_link_refers_nobody(alice: Person, records):
    alice.sign_up()
    alice.get(path_of(alice.link), 302)
    assert records.all(Referral) == []
    assert records.visits() == []


@pytest.mark.parametrize(("days", "credited"), [(29, True), (31, False)])
def test_the_link_counts_for_thirty_days(alice: Person, bob: Person, records, clock, days, credited):
    alice.sign_up()
    link = alice.link
    bob.click(link)
    clock.advance(days=days)
    bob.sign_up()
    assert (records.one(Profile, id=2).referred_by_id is not None) is credited


def test_the_last_link_wins(alice: Person, bob: Person, charlie: Person, records):
    alice.sign_up()
    bob.sign_up()
    charlie.click(alice.link)
    charlie.click(bob.link)
    charlie.sign_up()
    assert records.one(Referral).referrer_id == 2


def test_a_link_whose_owner_was_switched_off_leads_home_with_a_notice(alice: Person, bob: Person, records):
    alice.sign_up()
    link = alice.link
    records.change(lambda: _deactivate("alice"))
    home = bob.follow(bob.get(path_of(link), 302))
    assert "isn't active" in home.text


def test_a_link_that_dies_between_click_and_signup_gives_no_credit_and_stops_nobody(
    alice: Person, bob: Person, records
):
    alice.sign_up()
    bob.click(alice.link)
    records.change(lambda: _deactivate("alice"))
    bob.sign_up()
    assert records.one(Profile, id=2).referred_by_id is None


@pytest.mark.parametrize("change", [str.upper, str.lower, lambda path: path.rstrip("/")])
def test_a_link_works_in_any_case_and_without_the_last_slash(alice: Person, bob: Person, change):
    alice.sign_up()
    answer = bob.get(change(path_of(alice.link)), 302)
    assert "alice" in bob.follow(answer).text


@pytest.mark.parametrize(
    ("via", "channel"),
    [("?via=whatsapp", Channel.WHATSAPP), ("?via=X", Channel.X), ("?via=pigeon", Channel.LINK), ("", Channel.LINK)],
)
def test_the_channel_is_kept_on_the_referral_and_in_the_visits(
    alice: Person, bob: Person, records, via: str, channel: Channel
):
    alice.sign_up()
    bob.click(alice.link + via)
    bob.sign_up()
    assert records.one(Referral).channel is channel
    assert [day.channel for day in records.visits()] == [channel]


def test_two_visits_of_one_browser_on_one_day_are_two_visits_of_one_visitor(
    alice: Person, bob: Person, charlie: Person, records, clock
):
    clock.now = clock.now.replace(hour=10)
    alice.sign_up()
    link = alice.link
    bob.click(link)
    bob.click(link)
    assert [(row.visits, row.visitors) for row in records.visits()] == [(2, 1)]
    charlie.click(link)
    assert [(row.visits, row.visitors) for row in records.visits()] == [(3, 2)]
    clock.advance(days=1)
    bob.click(link)
    assert [(row.visits, row.visitors) for row in records.visits()] == [(3, 2), (1, 1)]
    assert alice.get("/dashboard/").stat("visits") == 3


def test_the_verification_mail_can_be_sent_again(alice: Person, post_office: PostOffice, clock):
    alice.sign_up()
    post_office.deliver()
    clock.advance(minutes=2)
    page = alice.follow(alice.submit(alice.get("/dashboard/").form("/verify/resend")))
    assert alice.email in page.text
    post_office.deliver()
    letters = post_office.letters(alice.email)
    assert len(letters) == 2
    newest = path_of(link_in(letters[1], "/verify/"))
    alice.submit(alice.get(newest).form(newest))
    assert [form for form in alice.get("/dashboard/").all("form") if form["action"] == "/verify/resend"] == []


def _deactivate(username: str) -> None:
    from referralhub.extensions import db

    db.session.scalars(db.select(User).filter_by(username=username)).one().is_active = False
