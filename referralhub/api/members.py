"""Members of the product that calls."""

import secrets
from typing import Any

from flask import current_app

from referralhub import languages
from referralhub.api.operations import actor, next_of, operation
from referralhub.api.schemas import (
    AdjustmentIn,
    EntryOut,
    LedgerOut,
    ListIn,
    MemberIn,
    MemberOut,
    MembersIn,
    MembersOut,
    MemberWithFiguresOut,
    ReferralOut,
    ReferralsOut,
    SignInLinkOut,
    StatisticsOut,
)
from referralhub.clock import local_now, now
from referralhub.models import Scope
from referralhub.services.accounts import administration
from referralhub.services.integration import members
from referralhub.services.integration.members import Given, Member
from referralhub.services.ledger import entries
from referralhub.services.ledger.entries import Line
from referralhub.services.links import live_codes
from referralhub.services.program import rules
from referralhub.services.referrals import figures, member_list
from referralhub.urls import first_words, public_url
from referralhub.words.referrals import FORMER_MEMBER, member_name, reason

UNKNOWN = {404: "No member has this number."}


@operation(
    "/members/<external_id>", "PUT", "Make a member, or change one", scope=Scope.MANAGE, takes=MemberIn,
    answers={200: MemberOut, 201: MemberOut},
    problems={
        409: "The code is another member's, or looks like it, or one was chosen this month.",
        422: "A value cannot be, or the address is another account's.",
    },
)  # fmt: skip
def put_member(external_id: str, body: MemberIn) -> tuple[int, MemberOut]:
    """Make the member with your number, or change what you name."""
    language = body.language and languages.negotiated(body.language.replace("_", "-"))
    given = Given(body.email, body.name, language, body.metadata, body.code, body.listed)
    # A code is one of a month of the program's time zone.
    at = now() if body.code is None else local_now()
    member, made = members.put(external_id, given, actor(), at, first_words())
    return 201 if made else 200, _shown(member)


@operation(
    "/members/<external_id>", "GET", "A member with their figures", scope=Scope.READ,
    answers={200: MemberWithFiguresOut}, problems=UNKNOWN,
)  # fmt: skip
def get_member(external_id: str) -> tuple[int, MemberWithFiguresOut]:
    """Return a member."""
    found = members.get(external_id)
    return 200, MemberWithFiguresOut(**_values(found), statistics=_figures(found.profile_id))


@operation(
    "/members", "GET", "Your members, the newest first", scope=Scope.READ, query=MembersIn, answers={200: MembersOut}
)  # fmt: skip
def list_members(query: MembersIn) -> tuple[int, MembersOut]:
    """Return a part of the list."""
    found = members.newest(query.after, query.created_from, query.created_to, query.active)
    return 200, MembersOut([_shown(each) for each in found.lines], next_of(found))


@operation(
    "/members/<external_id>", "DELETE", "Forget who a member was", scope=Scope.MANAGE, answers={204: None},
    problems={409: "The account is an admin's."},
)  # fmt: skip
def erase_member(external_id: str) -> tuple[int, None]:
    """Erase name, address and all else of a member's own; the ledger stays, under “A former member”."""
    codes = members.erase(external_id, FORMER_MEMBER, actor(), now())
    live_codes.unlearn(current_app.extensions["redis"], codes)
    return 204, None


@operation(
    "/members/<external_id>/referrals", "GET", "Whom a member brought", scope=Scope.READ, query=ListIn,
    answers={200: ReferralsOut}, problems=UNKNOWN,
)  # fmt: skip
def list_referrals(external_id: str, query: ListIn) -> tuple[int, ReferralsOut]:
    """Return a part of a member's referrals."""
    found = member_list.page_of(members.get(external_id).profile_id, after=query.after).part
    lines = [
        ReferralOut(
            each.id, member_name(each.username), each.state.value, each.reason.code, reason(each.reason), each.created,
            each.decided_at,
        )
        for each in found.lines
    ]  # fmt: skip
    return 200, ReferralsOut(lines, next_of(found))


@operation(
    "/members/<external_id>/ledger", "GET", "What a member was given, and what was taken", scope=Scope.READ,
    query=ListIn, answers={200: LedgerOut}, problems=UNKNOWN,
)  # fmt: skip
def list_entries(external_id: str, query: ListIn) -> tuple[int, LedgerOut]:
    """Return a part of a member's ledger."""
    found = entries.lines(members.get(external_id).profile_id, query.after)
    return 200, LedgerOut([_entry(each) for each in found.lines], next_of(found))


@operation(
    "/members/<external_id>/adjustments", "POST", "Give a member an amount, or take it", scope=Scope.MANAGE,
    takes=AdjustmentIn, answers={201: EntryOut}, problems=UNKNOWN, once=True,
)  # fmt: skip
def adjust_balance(external_id: str, body: AdjustmentIn) -> tuple[int, EntryOut]:
    """Write the entry of the ledger, and return it."""
    member = members.get(external_id)
    unit = rules.current().ledger_unit if body.unit is None else body.unit
    key = secrets.token_hex()  # nobody sends this one again: see `once`
    administration.adjust(member.user_id, body.amount, unit, body.reason.strip(), key, actor(), now())
    return 201, _entry(entries.lines(member.profile_id).lines[0])


@operation(
    "/members/<external_id>/sign-in-links", "POST", "A link that signs the member in, once", scope=Scope.MANAGE,
    answers={201: SignInLinkOut}, problems=UNKNOWN | {409: "The account is closed, or an admin's."},
)  # fmt: skip
def make_sign_in_link(external_id: str) -> tuple[int, SignInLinkOut]:
    """Make a link to send the member's browser to."""
    token, until = members.sign_in_token(external_id, actor(), now())
    return 201, SignInLinkOut(public_url("auth.enter_by_link", token=token), until)


def _entry(line: Line) -> EntryOut:
    return EntryOut(
        line.id, line.kind.value, line.amount, line.unit, line.balance, line.note, line.available_at, line.created,
        line.referral_id, line.event_id,
    )  # fmt: skip


def _shown(member: Member) -> MemberOut:
    return MemberOut(**_values(member))


def _values(member: Member) -> dict[str, Any]:
    return {
        "external_id": member.external_id, "code": member.code, "link": public_url("landing.follow", code=member.code),
        "email": member.email, "name": member.name, "language": member.language, "listed": member.listed,
        "metadata": member.metadata, "active": member.is_active, "created": member.created,
    }  # fmt: skip


def _figures(profile_id: int) -> StatisticsOut:
    found = figures.read(current_app.extensions["redis"], profile_id, now()).statistics
    return StatisticsOut(
        found.total_referrals, found.rewards, found.unit, found.active_network, found.pending, found.visits,
        found.standing.tier,
    )  # fmt: skip
