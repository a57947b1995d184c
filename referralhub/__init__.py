"""ReferralHub: a self-hosted referral program."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from referralhub.config import Settings


def create_app(config: "Settings | None" = None) -> "Flask":
    """Make the application. Raises ConfigurationError when the environment lacks something."""
    from referralhub.application import wire  # noqa: PLC0415 - the launcher is in this package and seldom needs it

    return wire(config)
