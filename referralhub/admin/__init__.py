"""The panel for those who run the program: Flask-Admin in the product's own clothes."""

from flask import Flask
from flask_admin import Admin

from referralhub.admin import access
from referralhub.admin.api_keys import ApiKeys
from referralhub.admin.audit import Audit
from referralhub.admin.brand.pages import BrandPage
from referralhub.admin.connection import ConnectionPage
from referralhub.admin.customers import Customers
from referralhub.admin.growth.pages import Growth
from referralhub.admin.handing_over import HandingOver
from referralhub.admin.invitations import Invitations
from referralhub.admin.members import Members, Rewards
from referralhub.admin.outbox import Mail
from referralhub.admin.perks.claims import Claims
from referralhub.admin.perks.pages import Perks
from referralhub.admin.program.pages import Rules
from referralhub.admin.referrals import Referrals, Review
from referralhub.admin.texts import Texts
from referralhub.admin.webhooks import Webhooks
from referralhub.models import (
    AuditLine,
    Invitation,
    OutboxMessage,
    Perk,
    Redemption,
    Referral,
    Reward,
    RewardEntry,
    User,
)
from referralhub.words.language import N_

# What stands together in the panel's list of pages, by the ends of their endpoints; what is in none comes before them.
GROUPS = {
    N_("People"): ("members", "referrals", "customers", "invitations"),
    N_("Rewards"): ("rewards", "rewards_due", "perks", "claims"),
    N_("Set-up"): ("program", "brand", "texts"),
    N_("Your product"): ("connection", "api_keys", "webhooks"),
    N_("Records"): ("mail", "audit"),
}


def init_app(app: Flask) -> None:
    """Put the panel at /admin/. An application has a panel of its own, since views know theirs."""
    panel = Admin(url="/admin", index_view=Growth(N_("Growth"), endpoint="admin", url="/admin"))
    views = (
        Review(N_("Review"), endpoint="admin_review", url="/admin/review"),
        Members(User, N_("Members"), "members"),
        Referrals(Referral, N_("Referrals"), "referrals"),
        Rewards(RewardEntry, N_("Ledger"), "rewards"),
        Customers(N_("Customers"), endpoint="admin_customers", url="/admin/customers"),
        Rules(N_("Program"), endpoint="admin_program", url="/admin/program"),
        BrandPage(N_("Brand"), endpoint="admin_brand", url="/admin/brand"),
        Texts(N_("Texts"), endpoint="admin_texts", url="/admin/texts"),
        Perks(Perk, N_("Perks"), "perks"),
        Claims(Redemption, N_("Claims"), "claims"),
        HandingOver(Reward, N_("Handing over"), "rewards_due"),
        Invitations(Invitation, N_("Invitations"), "invitations"),
        Mail(OutboxMessage, N_("Mail"), "mail"),
        ConnectionPage(N_("Connection"), endpoint="admin_connection", url="/admin/connection"),
        ApiKeys(N_("API keys"), endpoint="admin_api_keys", url="/admin/api-keys"),
        Webhooks(N_("Webhooks"), endpoint="admin_webhooks", url="/admin/webhooks"),
        Audit(AuditLine, N_("Audit log"), "audit"),
    )
    group_of = {f"admin_{page}": name for name, pages in GROUPS.items() for page in pages}
    for view in views:
        view.category = group_of.get(view.endpoint)
        panel.add_view(view)
    panel.init_app(app)
    app.before_request(access.guard)
