"""Every page there is, by who is shown it; `tests/functional/test_places.py` sees that none is missing."""

EVERYBODY = {
    "home": "/", "signup": "/signup", "login": "/login", "leaderboard": "/leaderboard", "missing": "/nothing",
    "privacy": "/privacy", "forgot": "/password/forgot", "bad link": "/verify/nonsense",
    "bad reset": "/password/reset/nonsense", "bad address": "/account/email/nonsense",
    "bad claim": "/claims/nonsense", "bad sign-in link": "/sign-in/nonsense", "api": "/api/",
    "bad mail link": "/account/unsubscribe/nonsense", "style page": "/dev/styleguide", "sent mail": "/dev/mailbox",
}  # fmt: skip
MEMBERS = {
    "referrals": "/dashboard/referrals", "rewards": "/dashboard/rewards", "profile": "/account/profile",
    "own code": "/account/code", "invited by": "/account/referrer", "claims": "/dashboard/claims",
    "network": "/dashboard/network", "invite": "/dashboard/invite", "password": "/account/password",
    "notifications": "/account/notifications", "sessions": "/account/sessions", "data": "/account/data",
    "two steps": "/account/two-factor", "address": "/account/email", "language": "/account/language",
    "password again": "/account/confirm",
}  # fmt: skip
ADMINS = (
    "/admin/", "/admin/review/", "/admin/members/", "/admin/members/3/", "/admin/referrals/", "/admin/referrals/3/",
    "/admin/rewards/", "/admin/rewards-due/", "/admin/perks/", "/admin/perks/new", "/admin/perks/1/",
    "/admin/claims/", "/admin/program/", "/admin/program/edit", "/admin/invitations/", "/admin/mail/",
    "/admin/audit/", "/admin/audit/verify", "/admin/texts/", "/admin/texts/invitation/de/", "/admin/brand/",
    "/admin/customers/", "/admin/review/missing/", "/admin/api-keys/", "/admin/connection/", "/admin/webhooks/",
    "/admin/webhooks/1/", "/admin/webhooks/deliveries/1/", "/account/confirm",
)  # fmt: skip
