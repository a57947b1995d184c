"""Deciding referrals on the command line."""

from collections.abc import Callable

import click
from flask.cli import AppGroup

from referralhub.clock import now
from referralhub.services import referrals as service
from referralhub.services.errors import DomainError

referrals = AppGroup("referrals", help="Decide a referral, with a reason that its members will read.")


def _decide(step: Callable[..., None], referral_id: int, reason: str) -> None:
    try:
        step(referral_id, None, reason, now())
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
