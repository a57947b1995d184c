"""Perks, and members' claims to them."""

import secrets

from referralhub.api.operations import actor, next_of, operation
from referralhub.api.schemas import ClaimIn, ClaimOut, ClaimsOut, ListIn, PerkOut, PerksOut
from referralhub.clock import now
from referralhub.models import Scope
from referralhub.services.integration import members
from referralhub.services.perks import catalogue, claims
from referralhub.services.perks.claims import Claim
from referralhub.services.shared.errors import Conflict

UNKNOWN = {404: "No member has this number."}


@operation("/perks", "GET", "What can be claimed", scope=Scope.READ, answers={200: PerksOut})
def list_perks() -> tuple[int, PerksOut]:
    """Return the catalogue."""
    return 200, PerksOut(
        [
            PerkOut(each.id, each.name, each.description, each.price, each.unit, each.unlocked_at, each.left)
            for each in catalogue.offers()
        ]
    )


@operation(
    "/members/<external_id>/claims", "GET", "What a member claimed", scope=Scope.READ, query=ListIn,
    answers={200: ClaimsOut}, problems=UNKNOWN,
)  # fmt: skip
def list_claims(external_id: str, query: ListIn) -> tuple[int, ClaimsOut]:
    """Return a part of a member's claims."""
    found = claims.claims_of(members.get(external_id).profile_id, query.after)
    return 200, ClaimsOut([_shown(each) for each in found.lines], next_of(found))


@operation(
    "/members/<external_id>/claims", "POST", "Claim a perk for a member", scope=Scope.MANAGE, takes=ClaimIn,
    answers={200: ClaimOut, 201: ClaimOut}, once=True,
    problems=UNKNOWN | {409: "It cannot be had: too dear, not unlocked, sold out, gone; or the account is closed."},
)  # fmt: skip
def claim_perk(external_id: str, body: ClaimIn) -> tuple[int, ClaimOut]:
    """Claim it; 200 for one that is unlocked once and was claimed before."""
    member = members.get(external_id)
    if not member.is_active:
        raise Conflict("member_closed")
    new = claims.redeem(member.profile_id, body.perk_id, secrets.token_hex(), now())
    return 201 if new else 200, _shown(claims.latest(member.profile_id, body.perk_id))


@operation(
    "/claims/<row:number>/fulfilled", "POST", "A claimed perk was handed over", scope=Scope.MANAGE,
    answers={200: ClaimOut}, problems={404: "No claim has this number."}, once=True,
)  # fmt: skip
def fulfil_claim(number: int) -> tuple[int, ClaimOut]:
    """Note it, the first time."""
    claims.fulfil(number, actor(), now())
    return 200, _shown(claims.get(number))


def _shown(claim: Claim) -> ClaimOut:
    return ClaimOut(claim.id, claim.perk_id, claim.name, claim.coupon, claim.fulfilled_at, claim.created)
