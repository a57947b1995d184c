"""Deciding referrals on the command line."""

from collections.abc import Callable

import click
from flask.cli import AppGroup

from referralhub.clock import now
from referralhub.services import explanations
from referralhub.services import referrals as service
from referralhub.services.audit import OPERATOR
from referralhub.services.errors import DomainError

referrals = AppGroup("referrals", help="Decide a referral, with a reason that its members will read.")


def _decide(step: Callable[..., None], referral_id: int, reason: str) -> None:
    try:
        step(referral_id, OPERATOR, reason, now())
    except DomainError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"Referral {referral_id}: done.")


@referrals.command("release")
@click.argument("referral_id", type=int)
@click.option("--reason", required=True)
def release(referral_id: int, reason: str) -> None:
    """Confirm a referral that was held."""
    _decide(service.release, referral_id, reason)


@referrals.command("reject")
@click.argument("referral_id", type=int)
@click.option("--reason", required=True)
def reject(referral_id: int, reason: str) -> None:
    """Decide that a held referral does not count."""
    _decide(service.reject, referral_id, reason)


@referrals.command("reverse")
@click.argument("referral_id", type=int)
@click.option("--reason", required=True)
def reverse(referral_id: int, reason: str) -> None:
    """Take a confirmed referral back: opposite ledger entries for everything it gave."""
    _decide(service.reverse, referral_id, reason)


@referrals.command("explain")
@click.argument("referral_id", type=int)
def explain(referral_id: int) -> None:
    """Say why a referral was confirmed or held: each rule's points, and the verdict without it."""
    try:
        found = explanations.explanation(referral_id)
    except DomainError as error:
        raise click.ClickException(str(error)) from None
    if found is None:
        raise click.ClickException("This referral was not judged yet.")
    click.echo(
        f"{found.verdict}: {found.score} of 100 points, by rules of version {found.version} "
        f"at {found.judged_at:%Y-%m-%d %H:%M} UTC; the referral is {found.state.value} today."
    )
    for reason in found.reasons:
        click.echo(f"  because: {reason}")
    for finding in found.findings:
        one, other = finding.values
        without = found.without[finding.rule]
        click.echo(f"{finding.points:4}  {finding.rule}: {one} / {other}; without it: {without}")
    for rule in found.incomplete:
        click.echo(f"   ?  {rule}: failed or lacked data; without it: {found.without.get(rule, 'clear')}")
