"""ReferralHub: a self-hosted referral program."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from referralhub.config import Settings


def create_app(config: "Settings | None" = None) -> "Flask":
    """Make the application. Raises ConfigurationError when the environment lacks something."""
    # Loaded only here: the launcher is part of this package and usually has no need of an application.
    from referralhub.application import wire  # noqa: PLC0415 - as said above

    return wire(config)
