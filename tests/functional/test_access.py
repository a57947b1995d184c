"""Who may do what: every route there is, by everybody there is, from a table. A route that is not in it fails."""

import pytest
from flask import Flask

from referralhub.models import Appeal, Avatar, Invitation, Redemption, ReferralClaim, RewardEntry, SignIn
from tests.everybody import everybody, in_paths, routes
from tests.pages import Visitor
from tests.people import PostOffice, Records

LOGIN = "led to the sign-in form"

# What somebody without an account, the member whose rows the path names, another member, and an admin are answered.
# A form is sent with its token and nothing else, so that 422 says: you may, but this is not filled in.
TABLE = {
    # For everybody
    (200, 200, 200, 200): """
        GET /<code:code>/picture.png
        GET /account/email/<token>
        GET /api/
        GET /api/v1/codes/<code>
        GET /api/v1/openapi.json
        GET /brand/<hex(length=6):accent>.css
        GET /brand/<hex(length=6):accent>.svg
        GET /brand/<hex(length=6):accent>/sample.css
        GET /brand/<icon>.png
        GET /dev/mailbox
        GET /dev/styleguide
        GET /healthz
        GET /leaderboard
        GET /llms.txt
        GET /manifest.webmanifest
        GET /password/forgot
        GET /picture.png
        GET /privacy
        GET /readyz
        GET /robots.txt
        GET /sitemap.xml
        GET /static/<path:filename>
        GET /verify/<token>
    """,
    (302, 302, 302, 302): """
        GET /<code:code>/
        GET /signup
    """,
    (303, 303, 303, 303): """
        POST /logout
    """,
    (400, 400, 400, 400): """
        GET /account/unsubscribe/<token>
        GET /claims/<token>
        GET /password/reset/<token>
        POST /account/email/<token>
        GET /sign-in/<token>
        POST /account/unsubscribe/<token>
        POST /claims/<token>
        POST /sign-in/<token>
        POST /verify/<token>
    """,
    (422, 422, 422, 422): """
        POST /password/forgot
        POST /password/reset/<token>
    """,
    # Where no provider is set, and nobody has this picture
    (404, 404, 404, 404): """
        GET /brand/avatar/<hex(length=64):digest>.webp
        GET /brand/logo/<hex(length=64):digest>.<extension>
        GET /login/provider
        GET /login/provider/return
    """,
    # For machines with a token
    (401, 401, 401, 401): """
        DELETE /api/v1/members/<external_id>
        GET /api/v1/events
        GET /api/v1/events/<id>
        GET /api/v1/growth
        GET /api/v1/leaderboard
        GET /api/v1/members
        GET /api/v1/members/<external_id>
        GET /api/v1/members/<external_id>/claims
        GET /api/v1/members/<external_id>/ledger
        GET /api/v1/members/<external_id>/referrals
        GET /api/v1/perks
        GET /api/v1/program
        GET /api/v1/referrals
        GET /api/v1/referrals/<row:number>
        GET /api/v1/rewards
        GET /api/v1/rewards/<row:reward_id>
        GET /metrics
        PATCH /api/v1/program
        POST /api/v1/claims/<row:number>/fulfilled
        POST /api/v1/events
        POST /api/v1/members/<external_id>/adjustments
        POST /api/v1/members/<external_id>/claims
        POST /api/v1/members/<external_id>/sign-in-links
        POST /api/v1/referrals/<row:number>/confirm
        POST /api/v1/referrals/<row:number>/reject
        POST /api/v1/referrals/<row:number>/reverse
        POST /api/v1/rewards/<row:reward_id>/failed
        POST /api/v1/rewards/<row:reward_id>/fulfilled
        POST /api/v1/track/lead
        POST /api/v1/track/refund
        POST /api/v1/track/sale
        PUT /api/v1/members/<external_id>
    """,
    # For those who have no account yet, and who have followed a link, so that /signup leads on to /join
    (200, 302, 302, 302): """
        GET /
        GET /join
        GET /login
    """,
    (422, 302, 302, 302): """
        POST /join
        POST /login
        POST /signup
    """,
    # For members, each for themselves
    (LOGIN, 200, 200, 200): """
        GET /account/code
        GET /account/confirm
        GET /account/data
        GET /account/email
        GET /account/export
        GET /account/language
        GET /account/notifications
        GET /account/password
        GET /account/profile
        GET /account/referrer
        GET /account/sessions
        GET /account/two-factor
        GET /dashboard/
        GET /dashboard/claims
        GET /dashboard/invite
        GET /dashboard/network
        GET /dashboard/next
        GET /dashboard/picture/square.png
        GET /dashboard/picture/tall.png
        GET /dashboard/qr.png
        GET /dashboard/qr.svg
        GET /dashboard/recent
        GET /dashboard/referrals
        GET /dashboard/rewards
        GET /dashboard/stats
        POST /dashboard/share-text/preview
    """,
    (LOGIN, 200, 404, 404): """
        GET /dashboard/network/<branch>
    """,
    (LOGIN, 302, 302, 302): """
        GET /account/
        GET /login/code
        POST /login/code
    """,
    (LOGIN, 303, 303, 303): """
        POST /account/notifications
        POST /account/picture/remove
        POST /account/sessions/<row(bits=63):sign_in_id>/end
        POST /account/sessions/end-others
        POST /account/two-factor/codes
        POST /account/two-factor/off
        POST /dashboard/share-text
        POST /verify/resend
    """,
    (LOGIN, 409, 409, 409): """
        POST /dashboard/invitations/<row:invitation_id>/remind
    """,
    (LOGIN, 303, 409, 409): """
        POST /dashboard/perks/<row:perk_id>/redeem
    """,
    (LOGIN, 422, 404, 404): """
        POST /dashboard/referrals/<row:referral_id>/appeal
    """,
    (LOGIN, 422, 422, 422): """
        POST /account/code
        POST /account/confirm
        POST /account/delete
        POST /account/email
        POST /account/language
        POST /account/password
        POST /account/picture
        POST /account/profile
        POST /account/referrer
        POST /account/two-factor
        POST /dashboard/claims
        POST /dashboard/invite
    """,
    # For admins; to nobody else does it exist
    (404, 404, 404, 200): """
        GET /admin/
        GET /admin/api-keys/
        GET /admin/audit/
        GET /admin/audit/rows.csv
        GET /admin/audit/verify
        GET /admin/brand/
        GET /admin/claims/
        GET /admin/claims/rows.csv
        GET /admin/connection/
        GET /admin/customers/
        GET /admin/growth/<which>.csv
        GET /admin/invitations/
        GET /admin/invitations/rows.csv
        GET /admin/mail/
        GET /admin/mail/rows.csv
        GET /admin/members/
        GET /admin/members/<row:row_id>/
        GET /admin/members/rows.csv
        GET /admin/perks/
        GET /admin/perks/<row:row_id>/
        GET /admin/perks/new
        GET /admin/perks/rows.csv
        GET /admin/program/
        GET /admin/program/edit
        GET /admin/referrals/
        GET /admin/referrals/<row:row_id>/
        GET /admin/referrals/rows.csv
        GET /admin/review/
        GET /admin/review/missing/
        GET /admin/review/missing/<row:row_id>/
        GET /admin/rewards-due/
        GET /admin/rewards-due/file
        GET /admin/rewards-due/rows.csv
        GET /admin/rewards/
        GET /admin/rewards/rows.csv
        GET /admin/texts/
        GET /admin/texts/<text>/<language>/
        GET /admin/webhooks/
        GET /admin/webhooks/<row:row_id>/
        GET /admin/webhooks/deliveries/<row:row_id>/
        POST /admin/program/edit
    """,
    (404, 404, 404, 303): """
        POST /admin/api-keys/<row:row_id>/revoke
        POST /admin/brand/logo/remove
        POST /admin/claims/<row:row_id>/fulfil
        POST /admin/costs
        POST /admin/mail/<row:row_id>/again
        POST /admin/mail/again
        POST /admin/members/<row:row_id>/verification
        POST /admin/perks/<row:row_id>/off
        POST /admin/perks/<row:row_id>/on
        POST /admin/texts/<text>/<language>/original
        POST /admin/webhooks/<row:row_id>/on
        POST /admin/webhooks/<row:row_id>/types
        POST /admin/webhooks/deliveries/<row:row_id>/again
    """,
    (404, 404, 404, 422): """
        POST /admin/api-keys/
        POST /admin/brand/
        POST /admin/brand/logo
        POST /admin/brand/preview
        POST /admin/customers/
        POST /admin/members/<row:row_id>/active
        POST /admin/members/<row:row_id>/active/again
        POST /admin/members/<row:row_id>/adjust
        POST /admin/members/<row:row_id>/profile
        POST /admin/members/<row:row_id>/referrer
        POST /admin/perks/<row:row_id>/coupons
        POST /admin/perks/<row:row_id>/stock
        POST /admin/perks/new
        POST /admin/program/
        POST /admin/program/preview
        POST /admin/referrals/<row:row_id>/<any(hold, release, reject, reverse):step>
        POST /admin/review/
        POST /admin/rewards-due/decide
        POST /admin/rewards-due/file
        POST /admin/review/missing/<row:row_id>/<any(confirm, reject):decision>
        POST /admin/texts/<text>/<language>/
        POST /admin/texts/<text>/<language>/mail
        POST /admin/texts/<text>/<language>/preview
        POST /admin/webhooks/
        POST /admin/webhooks/<row:row_id>/remove
        POST /admin/webhooks/<row:row_id>/replay
        POST /admin/webhooks/<row:row_id>/rotate
        POST /admin/webhooks/<row:row_id>/test
    """,
}
ROUTES = {route.strip(): answers for answers, routes in TABLE.items() for route in routes.strip().splitlines()}


@pytest.fixture
def app(lend_app) -> Flask:
    """These are more requests than a person sends."""
    return lend_app(ratelimit_enabled=False, metrics_token="a token for tests alone")


@pytest.fixture
def people(app: Flask, post_office: PostOffice, clock) -> dict[str, Visitor]:
    return everybody(app, post_office, clock)


def test_every_route_is_in_the_table(app: Flask):
    assert sorted(f"{method} {rule}" for method, rule, _ in routes(app)) == sorted(ROUTES)


def test_everybody_is_answered_as_the_table_says(app: Flask, people: dict[str, Visitor], records: Records):
    values = in_paths(people, records)
    site = app.url_map.bind("localhost")
    arguments = {rule.endpoint: {name: values[name] for name in rule.arguments} for rule in app.url_map.iter_rules()}
    wrong = []
    for number, (who, visitor) in enumerate(people.items()):
        before = alices_rows(records)
        token = visitor.get("/privacy" if who != "anonymous" else "/login").all('[name="csrf_token"]')[0]["value"]
        # What ends a sign-in comes last.
        for method, rule, endpoint in sorted(
            routes(app), key=lambda route: (route[1] == "/logout", "sign_in_id" in route[1])
        ):
            path = site.build(endpoint, arguments[endpoint], method)
            form = {"csrf_token": token} if method == "POST" else None
            answer = visitor.client.open(path, method=method, data=form)
            answer.close()
            found = LOGIN if answer.headers.get("Location", "").startswith("/login") else answer.status_code
            if found != ROUTES[f"{method} {rule}"][number]:
                wrong.append(f"{who}: {method} {path}: {found}")
        if who in ("anonymous", "other"):
            assert alices_rows(records) == before, f"{who} changed what is Alice's"
    assert wrong == []


def alices_rows(records: Records) -> list[dict[str, object]]:
    """Give what is Alice's alone."""
    rows = [row for model in (Avatar, Invitation, Redemption, RewardEntry) for row in records.all(model, profile_id=1)]
    rows += records.all(SignIn, user_id=1) + records.all(ReferralClaim, claimant_id=1) + records.all(Appeal)
    return [{column.name: getattr(row, column.name) for column in row.__table__.columns} for row in rows]
