"""Ways to get the credit for a friend after the signup: by a code, a claim or an appeal. None works.

Mallory joined before Bob and brought nobody. Where somebody else brought Bob it is Alice, who keeps the credit.
"""

from collections.abc import Callable
from functools import partial
from urllib.parse import quote

import pytest
from flask import Flask

from referralhub.models import (
    Appeal,
    ClaimState,
    Profile,
    Reason,
    Referral,
    ReferralClaim,
    ReferralState,
    RewardEntry,
    User,
)
from referralhub.services.accounts import erasure
from referralhub.services.recourse import answers, decisions
from referralhub.services.referrals import invitations, lifecycle
from referralhub.services.shared.audit import OPERATOR
from referralhub.services.shared.errors import DomainError
from referralhub.words.referrals import FORMER_MEMBER
from tests.claims import answer, claim, question_path, questions
from tests.conftest import SECRET_KEY
from tests.functional.accounts.test_hijacks import ALICE, MALLORY, Scene
from tests.pages import Visitor
from tests.people import Person, all_at_once, links_in, path_of

PAGE, LIST = "/account/referrer", "/dashboard/referrals"


class Later(Scene):
    """The same people; now Bob is a member, too, and everybody's address is confirmed."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for person in (self.alice, self.mallory):
            person.confirm_address()

    def bob_joins(self, by: str = "") -> None:
        if by:
            self.bob.get(by, 302)
        self.bob.sign_up()
        self.bob.confirm_address()

    def enters(self, who: Person, code: str, expect: int | None = 422) -> None:
        """Send a code as the form does, whether the page shows it or not."""
        token = who.get(PAGE).all('[name="csrf_token"]')[0]["value"]
        who.post(PAGE, {"csrf_token": token, "referral_code": code}, expect)

    def decides(self, step: Callable[..., None], number: int = 1) -> DomainError | None:
        with self.app.app_context():
            try:
                step(number, Reason.stated("looked at it"), OPERATOR, self.clock())
            except DomainError as error:
                return error
        return None

    def claims(self) -> list[ReferralClaim]:
        return self.records.all(ReferralClaim)

    def reject(self) -> None:
        with self.app.app_context():
            lifecycle.hold(1, OPERATOR, Reason.stated("let us see"), self.clock())
            lifecycle.reject(1, OPERATOR, Reason.stated("a robot"), self.clock())


@pytest.fixture
def scene(app: Flask, post_office, alice: Person, bob: Person, records, clock, valkey) -> Later:
    return Later(app, alice, Person(app, post_office, "mallory"), bob, records, clock, valkey.client)


TRICKS: list[Callable[[Later], str | None]] = []


def trick(case: Callable[[Later], str | None]) -> Callable[[Later], str | None]:
    """A way to try it, after which Bob has an account; it gives who should have brought him."""
    TRICKS.append(case)
    return case


@trick
def claiming_somebody_elses_friend(scene: Later) -> str:
    scene.bob_joins(scene.honest)
    claim(scene.mallory, scene.bob.email)
    assert questions(scene.bob) == []
    return "alice"


@trick
def agreeing_for_a_friend_who_has_a_referrer(scene: Later) -> str:
    """By a link that was mailed before Bob entered Alice's code."""
    scene.bob_joins()
    claim(scene.mallory, scene.bob.email)
    path = question_path(scene.bob)
    scene.enters(scene.bob, scene.alice.code, 303)
    answer(scene.bob, "yes", path=path)
    assert scene.decides(decisions.confirm).code == "claim_does_not_wait"
    return "alice"


@trick
def a_claim_that_was_agreed_to_before_another_brought_the_friend(scene: Later) -> str:
    scene.bob_joins()
    claim(scene.mallory, scene.bob.email)
    answer(scene.bob, "yes")
    scene.enters(scene.bob, scene.alice.code, 303)
    assert scene.decides(decisions.confirm).code == "friend_has_referrer"
    return "alice"


@trick
def claiming_what_the_friend_denies(scene: Later) -> None:
    scene.bob_joins()
    claim(scene.mallory, scene.bob.email)
    answer(scene.bob, "no")
    answers_again = Visitor(scene.app)
    token = answers_again.get("/login").all('[name="csrf_token"]')[0]["value"]
    answers_again.post(question_path(scene.bob), {"csrf_token": token, "answer": "yes"}, 303)
    assert scene.decides(decisions.confirm).code == "claim_does_not_wait"


@trick
def claiming_what_nobody_answers(scene: Later) -> None:
    scene.bob_joins()
    claim(scene.mallory, scene.bob.email)
    questions(scene.bob)
    assert scene.decides(decisions.confirm).code == "claim_does_not_wait"


@trick
def claiming_an_address_that_was_only_typed(scene: Later) -> None:
    """Mallory's puppet says to be Bob, whose mail it cannot read."""
    puppet = scene.somebody("puppet")
    puppet.email = scene.bob.email
    puppet.sign_up()
    claim(scene.mallory, scene.bob.email)
    assert questions(scene.bob) == []
    scene.bob.username = "bob"
    scene.bob_joins()
    answer(scene.bob, "no")


@trick
def claiming_who_was_here_before(scene: Later) -> None:
    scene.bob_joins()
    claim(scene.mallory, scene.alice.email)
    assert questions(scene.alice) == []


@trick
def claiming_the_own_address(scene: Later) -> None:
    scene.bob_joins()
    for address in (scene.mallory.email, scene.mallory.email.upper(), "mallory+x@example.com"):
        claim(scene.mallory, address, expect=422)
    assert scene.claims() == []


@trick
def the_token_of_another_claim(scene: Later) -> None:
    """Mallory can make her puppet agree, and has its link: it is no other claim's, and no other friend's."""
    scene.bob_joins()
    puppet = scene.somebody("puppet")
    puppet.sign_up()
    puppet.confirm_address()
    for address in (puppet.email, scene.bob.email):
        claim(scene.mallory, address)
    token = question_path(puppet).rpartition("/")[2]
    theirs = answers.token(2, scene.records.one(User, username="bob").profile.id, "another secret")
    browser = Visitor(scene.app)
    csrf = browser.get("/login").all('[name="csrf_token"]')[0]["value"]
    mixed = f"{theirs.rpartition('.')[0]}.{token.rpartition('.')[2]}"
    for forged in (theirs, mixed, token[:-1], f"{token}x", token.swapcase(), invitations.token(2, SECRET_KEY), "x"):
        browser.post(f"/claims/{quote(forged)}", {"csrf_token": csrf, "answer": "yes"}, 400)
    fields = {"claim_id": "2", "friend_id": "3", "token": mixed}
    browser.post(f"/claims/{token}", {"csrf_token": csrf, "answer": "no", **fields}, 303)
    assert [each.state for each in scene.claims()] == [ClaimState.DECLINED, ClaimState.ASKED]


@trick
def a_token_that_has_expired(scene: Later) -> None:
    scene.bob_joins()
    claim(scene.mallory, scene.bob.email)
    path = question_path(scene.bob)
    browser = Visitor(scene.app)
    data = browser.filled_in(browser.get(path).form(path)) | {"answer": "yes"}
    scene.clock.advance(days=30)
    browser = Visitor(scene.app)
    token = browser.get("/login").all('[name="csrf_token"]')[0]["value"]
    browser.post(path, data | {"csrf_token": token}, 400)
    assert scene.decides(decisions.confirm).code == "claim_does_not_wait"


@trick
def a_link_that_a_machine_opens(scene: Later) -> None:
    scene.bob_joins()
    claim(scene.mallory, scene.bob.email)
    path = question_path(scene.bob)
    for method in ("get", "head", "options"):
        getattr(Visitor(scene.app).client, method)(f"{path}?answer=yes")
    Visitor(scene.app).post(path, {"answer": "yes"}, 400)  # as another site would, without the page's token
    assert [each.state for each in scene.claims()] == [ClaimState.ASKED]


@trick
def an_erased_friend_who_agreed(scene: Later) -> None:
    scene.bob_joins()
    claim(scene.mallory, scene.bob.email)
    answer(scene.bob, "yes")
    with scene.app.app_context():
        erasure.erase(scene.records.one(User, username="bob").id, FORMER_MEMBER, scene.clock())
    assert scene.decides(decisions.confirm).code == "claim_does_not_wait"


@trick
def an_erased_friend_who_agrees_afterwards(scene: Later) -> None:
    scene.bob_joins()
    claim(scene.mallory, scene.bob.email)
    path = question_path(scene.bob)
    browser = Visitor(scene.app)
    data = browser.filled_in(browser.get(path).form(path)) | {"answer": "yes"}
    with scene.app.app_context():
        erasure.erase(scene.records.one(User, username="bob").id, FORMER_MEMBER, scene.clock())
    browser.post(path, data, 400)


@trick
def her_own_code_for_herself(scene: Later) -> None:
    scene.bob_joins()
    scene.enters(scene.mallory, scene.mallory.code)
    assert scene.records.one(Profile, id=MALLORY).referred_by_id is None


@trick
def the_code_of_who_joined_later(scene: Later) -> None:
    """A ring: Mallory's puppet would have brought her."""
    scene.bob_joins()
    scene.enters(scene.mallory, scene.bob.code)
    assert scene.records.all(Referral) == []


@trick
def her_code_for_a_friend_who_has_a_referrer(scene: Later) -> str:
    scene.bob_joins(scene.honest)
    scene.enters(scene.bob, scene.evil_code)
    return "alice"


@trick
def her_code_when_the_days_are_over(scene: Later) -> None:
    scene.bob_joins()
    form = scene.bob.get(PAGE).form(PAGE)
    scene.clock.advance(days=14, seconds=1)
    scene.bob.submit(form, 422, referral_code=scene.evil_code)


@trick
def the_code_of_a_closed_account(scene: Later) -> None:
    scene.bob_joins()
    scene.close_mallorys_account()
    scene.enters(scene.bob, scene.evil_code)


@trick
def the_code_of_a_deleted_account(scene: Later) -> None:
    scene.bob_joins()
    with scene.app.app_context():
        erasure.erase(MALLORY, FORMER_MEMBER, scene.clock())
    scene.enters(scene.bob, scene.evil_code)


@trick
def a_form_that_another_site_sends(scene: Later) -> None:
    scene.bob_joins()
    scene.bob.post(PAGE, {"referral_code": scene.evil_code}, 400, headers={"Origin": "https://evil.example"})


@trick
def appealing_against_what_is_anothers(scene: Later) -> str:
    scene.bob.get(scene.honest, 302)
    scene.bob.sign_up()
    scene.reject()
    token = scene.mallory.get(LIST).all('[name="csrf_token"]')[0]["value"]
    scene.mallory.post(f"{LIST}/1/appeal", {"csrf_token": token, "words": "He is my friend."}, 404)
    assert scene.records.all(Appeal) == []
    return "alice"


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("case", TRICKS, ids=lambda case: case.__name__)
def test_mallory_gets_no_credit(scene: Later, case: Callable[[Later], str | None]):
    whose = case(scene)
    newest = scene.records.all(Profile)[-1]
    referrals = scene.records.all(Referral)
    assert scene.records.all(Referral, referrer_id=MALLORY) == []
    assert scene.records.all(RewardEntry, profile_id=MALLORY) == []
    assert newest.referred_by_id == (ALICE if whose else None)
    assert [(each.referrer_id, each.friend_id) for each in referrals] == ([(ALICE, newest.id)] if whose else [])


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
class TestWhatAPersonDecides:
    def test_a_second_account_of_ones_own_is_seen_by_who_decides(self, scene: Later, admin: Person):
        """Mallory makes it in another browser, and answers for it in her own."""
        puppet = scene.somebody("puppet")
        puppet.sign_up()
        puppet.confirm_address()
        scene.clock.advance(minutes=1)
        claim(scene.mallory, puppet.email)
        answer(puppet, "yes", browser=scene.mallory)
        page = admin.get("/admin/review/missing/1/")
        assert "Likely fraud: 64 of 100 points" in page.text
        assert "The referrer was signed in with this browser before" in page.text
        assert scene.records.all(Referral) == []  # nothing counts by itself

    def test_what_counts_is_not_appealed_against(self, scene: Later):
        scene.bob.get(scene.evil, 302)
        scene.bob.sign_up()
        scene.bob.confirm_address()
        referral = scene.records.one(Referral)
        assert referral.state is ReferralState.CONFIRMED  # nothing to appeal against
        token = scene.mallory.get(LIST).all('[name="csrf_token"]')[0]["value"]
        scene.mallory.post(f"{LIST}/1/appeal", {"csrf_token": token, "words": "More."}, 409)
        assert scene.records.all(Appeal) == []


def test_of_two_claims_at_once_a_friend_agrees_to_one(scene: Later):
    """Both links are pressed at the same moment, four times each."""
    scene.bob_joins()
    for claimant in (scene.alice, scene.mallory):
        claim(claimant, scene.bob.email)
    paths = [path_of(next(a for a in links_in(each) if "/claims/" in a)) for each in questions(scene.bob)]
    presses = []
    for path in paths * 4:
        browser = Visitor(scene.app)
        data = browser.filled_in(browser.get(path).form(path)) | {"answer": "yes"}
        presses.append(partial(browser.post, path, data, 303))
    all_at_once(presses)
    assert sorted(each.state.value for each in scene.claims()) == ["agreed", "rejected"]
    done = [scene.decides(decisions.confirm, each.id) for each in scene.claims()]
    assert [error and error.code for error in done].count(None) == 1
    assert len(scene.records.all(Referral)) == 1
    assert len(scene.records.all(RewardEntry)) == 1


def test_a_code_and_a_claim_at_once_give_one_credit(scene: Later):
    scene.bob_joins()
    claim(scene.mallory, scene.bob.email)
    answer(scene.bob, "yes")
    form = scene.bob.get(PAGE).form(PAGE)
    all_at_once(
        [
            partial(scene.decides, decisions.confirm),
            partial(scene.bob.submit, form, None, referral_code=scene.alice.code),
        ]
    )
    referral = scene.records.one(Referral)
    assert scene.records.one(Profile, id=referral.friend_id).referred_by_id == referral.referrer_id
    assert len(scene.records.all(RewardEntry)) == 1


def test_a_code_twice_at_once_gives_one_credit(scene: Later):
    scene.bob_joins()
    form = scene.bob.get(PAGE).form(PAGE)
    all_at_once([partial(scene.bob.submit, form, None, referral_code=scene.alice.code)] * 6)
    assert scene.records.one(Referral).state is ReferralState.CONFIRMED
    assert len(scene.records.all(RewardEntry)) == 1


def test_agreeing_twice_gives_one_credit(scene: Later):
    scene.bob_joins()
    claim(scene.alice, scene.bob.email)
    path = question_path(scene.bob)
    for _ in range(2):
        browser = Visitor(scene.app)
        page = browser.get(path)
        if forms := [each for each in page.all("form") if each["action"] == path]:
            browser.post(path, browser.filled_in(forms[0]) | {"answer": "yes"}, 303)
        scene.decides(decisions.confirm)
    assert len(scene.records.all(RewardEntry)) == 1


def test_an_appeal_twice_at_once_is_one(scene: Later):
    scene.bob.get(scene.honest, 302)
    scene.bob.sign_up()
    scene.reject()
    form = scene.alice.get(LIST).form(f"{LIST}/1/appeal")
    all_at_once([partial(scene.alice.submit, form, 303, words="It was Bob.")] * 4)
    scene.records.one(Appeal)
    with scene.app.app_context():
        lifecycle.reject(1, OPERATOR, Reason.stated("still a robot"), scene.clock())
    scene.alice.submit(form, 409, words="Please!")
    assert scene.records.one(Referral).state is ReferralState.REJECTED
