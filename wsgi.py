"""The WSGI application: `flask --app wsgi …`, or any WSGI server with `wsgi:app`."""

import sys

from referralhub import create_app
from referralhub.config import ConfigurationError

try:
    app = create_app()
except ConfigurationError as error:
    sys.exit(f"ReferralHub cannot start. Please set:\n{error}")
