"""Operators hand over in the panel: one by one, in bulk, and by a file."""

import io

import pytest

from referralhub.models import AuditLine, Reward, Role
from tests.pages import Page
from tests.people import Person

LIST, DECIDE, FILE = "/admin/rewards-due/", "/admin/rewards-due/decide", "/admin/rewards-due/file"


@pytest.fixture
def three(books) -> list[int]:
    """Three rewards that are due."""
    entries = [books.credit(amount) for amount in (500, 300, 1250)]
    return [books.reward(entry) for entry in entries]


def tick(admin: Person, rewards: list[int], step: str, expect: int = 303, path: str = LIST, **words: str) -> Page:
    """Tick rewards and press a button."""
    page = admin.get(path)
    form = page.form(DECIDE)
    data = admin.filled_in(form, **words) | {"reward": [str(each) for each in rewards], "step": step}
    return admin.post(form["action"], data, expect)


def row(page: Page, number: int) -> list[str]:
    return [cell.text for cell in page.one(f'tr[data-row="{number}"]').all("td")]


def test_the_list_says_what_is_due_to_whom(three, admin: Person, books):
    page = admin.get(LIST)
    assert "3 rewards are due." in page.text
    assert row(page, 3)[:9] == ["3", "due", "alice", "a-1", "12.50", "euros", "referrer", "–", "–"]
    books.fulfil(1)
    books.take_back(2)
    shown = [each["data-row"] for each in admin.get(f"{LIST}?flt_state=due").all("tr[data-row]")]
    assert shown == ["3"]
    assert "what it was for was taken back" in row(admin.get(LIST), 2)[8]


def test_many_are_handed_over_at_once(three, admin: Person, records, books):
    page = tick(admin, [1, 3], "fulfilled", path=f"{LIST}?flt_state=due", reference="run 12")
    assert page.location == f"{LIST}?flt_state=due"
    assert "2 rewards were handed over." in admin.follow(page).text
    assert [(each.state.value, each.reference) for each in records.all(Reward)] == [
        ("fulfilled", "run 12"), ("due", ""), ("fulfilled", "run 12"),
    ]  # fmt: skip
    assert {line.role for line in records.all(AuditLine, subject="reward")} == {Role.ADMIN}
    assert "0 rewards were handed over." in admin.follow(tick(admin, [1], "fulfilled", reference="run 13")).text
    assert "reward 1" in admin.get("/admin/audit/").text
    books.close()


def test_what_failed_needs_a_reason_and_can_be_tried_again(three, admin: Person, books):
    page = tick(admin, [1, 2], "failed", 422)
    assert "Say why" in page.error_at("reason")
    assert [box["value"] for box in page.all('[name="reward"]') if "checked" in box.attributes] == ["2", "1"]
    assert "2 rewards are kept as failed." in admin.follow(tick(admin, [1, 2], "failed", reason="no account")).text
    assert "2 failed and are still owed." in admin.get(LIST).text
    assert "1 reward is due again." in admin.follow(tick(admin, [1], "due")).text
    assert [state for _, _, state in books.rewards] == ["due", "failed", "due"]


def test_what_cannot_be_is_said_of_each(three, admin: Person, books):
    books.fulfil(1)
    text = admin.follow(tick(admin, [1, 2, 77], "failed", reason="no account")).text
    assert "1 reward is kept as failed." in text
    assert "Reward 1: This reward was handed over, and that is final." in text
    assert "Reward 77: There is no reward with this number." in text


def test_without_a_tick_or_a_step_nothing_is_done(three, admin: Person, records):
    before = records.everything()
    assert "Tick one or more rewards." in tick(admin, [], "fulfilled", 422).text
    tick(admin, [1], "nonsense", 422)
    tick(admin, [1], "fulfilled", 422, reference="x" * 201)
    assert records.everything() == before


def send(admin: Person, content: str | bytes, expect: int = 303, **more: str) -> Page:
    data = admin.filled_in(admin.get(FILE).form(FILE)) | more
    data["file"] = (io.BytesIO(content if isinstance(content, bytes) else content.encode()), "rewards.csv")
    return admin.post(FILE, data, expect)


def test_a_file_goes_out_and_comes_back(three, admin: Person, books, records):
    books.fail(2, "=no account")
    file = admin.get(f"{LIST}rows.csv?sort=0").response.get_data(as_text=True).removeprefix("\ufeff")
    head, first, second, third = file.splitlines()
    assert head == "id,state,member,external_id,amount,unit,kind,reference,reason,since,changed"
    assert third.startswith("3,due,alice,a-1,12.50,EUR,referrer,,,")
    assert "'=no account" in second
    first = first.replace("due", "fulfilled").replace(",referrer,,", ",referrer,invoice 7,")
    filled = "\r\n".join([head, first, second.replace("failed", "FULFILLED"), third])
    assert "2 rewards were changed." in admin.follow(send(admin, filled)).text
    assert [(each.state.value, each.reference) for each in records.all(Reward)] == [
        ("fulfilled", "invoice 7"), ("fulfilled", ""), ("due", ""),
    ]  # fmt: skip
    before = records.all(AuditLine)
    assert "0 rewards were changed." in admin.follow(send(admin, filled)).text
    assert len(records.all(AuditLine)) == len(before)
    books.close()


def test_of_a_file_with_a_mistake_nothing_is_done(three, admin: Person, books, records):
    books.fulfil(2)
    lines = [
        "id;state;reason",
        "1;fulfilled;",
        "2;failed;no account",
        "77;fulfilled;",
        "3;lost;",
        "x;failed;",
        "3;due;",
    ]
    lines += ["\0;failed;", "3;failed;", f"3;failed;{'x' * 501}"]
    before = records.everything()
    page = send(admin, "\n".join(lines), 422)
    found = {cells[0].text: cells[1].text for cells in (each.all("td") for each in page.one("tbody").all("tr"))}
    assert "More than one line" in found["7"]
    assert "final" in found["3"]
    assert "no reward" in found["4"]
    assert "must be" in found["5"]
    assert "no reward" in found["6"]
    assert set(found) == {"3", "4", "5", "6", "7", "8", "9", "10"}
    assert "8 lines are wrong. Nothing was changed." in page.error_at("file")
    assert records.everything() == before


def test_a_file_is_only_checked(three, admin: Person, books):
    page = send(admin, "id,state\n1,fulfilled\n2,failed\n", 200, check="yes")
    assert "Loading this file would change 2 rewards." in page.text
    assert {state for _, _, state in books.rewards} == {"due"}


@pytest.mark.parametrize("content", [b"", b"id\n", b"\x00\xff", b"state;reason\n", b"id,state\n1,fulfilled\xff\n"])
def test_what_is_no_such_file_is_refused(three, admin: Person, books, content: bytes):
    assert send(admin, content, 422).error_at("file")
    assert {state for _, _, state in books.rewards} == {"due"}
