"""The audit judges rightly: what is too heavy, what Lighthouse misses, and which pages are looked at as whom."""

from audit import weight
from audit.lighthouse import Scores, Subject
from audit.pages import Found, Page
from audit.site import ADMIN, FRIEND, MEMBER, NEWCOMER, VISITOR


def visit(size: int, requests: int, *elsewhere: str) -> weight.Visit:
    return weight.Visit(size, {f"/{number}": 1 for number in range(requests)}, list(elsewhere))


def test_a_visit_may_be_as_heavy_as_is_promised_and_no_heavier():
    assert weight.too_much(visit(60_000, 8), visit(10_000, 1)) == []
    assert len(weight.too_much(visit(60_001, 9), visit(10_001, 1))) == 3
    assert weight.too_much(visit(1, 1, "https://cdn.example/x.js"), visit(1, 1)) == [
        "request to https://cdn.example/x.js"
    ]


def test_lighthouse_is_missed_where_a_category_has_too_few_points():
    points = {"performance": 98, "accessibility": 100, "best-practices": 100, "seo": 100}
    for category, points_missing in ((None, []), ("performance", ["performance"]), ("seo", ["seo"])):
        less = points | ({category: 97} if category else {})
        assert Scores(Subject("home", VISITOR, "/"), less, [], "").missed == points_missing


def test_a_page_is_shown_as_who_sees_least_of_it_and_again_where_it_differs():
    found = Found(
        [
            Page(who, rule, rule, "")
            for rule, people in (
                ("/signup", (VISITOR, FRIEND)),
                ("/privacy", (VISITOR, FRIEND, NEWCOMER, MEMBER, ADMIN)),
                ("/dashboard/", (NEWCOMER, MEMBER, ADMIN)),
                ("/account/data", (NEWCOMER, MEMBER, ADMIN)),
                ("/admin/", (ADMIN,)),
            )
            for who in people
        ]
    )
    assert [(page.who, page.rule) for page in found.once()] == [
        (VISITOR, "/signup"), (FRIEND, "/signup"), (VISITOR, "/privacy"), (NEWCOMER, "/dashboard/"),
        (MEMBER, "/dashboard/"), (MEMBER, "/account/data"), (ADMIN, "/admin/"),
    ]  # fmt: skip
