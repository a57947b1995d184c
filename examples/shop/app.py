"""A small shop for tea, whose customers bring their friends. What connects it with ReferralHub is in `referrals.py`."""

import os
import threading
from collections.abc import Mapping

import requests
from flask import Flask
from flask_wtf.csrf import CSRFProtect

from examples.shop import database, pages, referrals

SETTINGS = ("SHOP_DATABASE", "SECRET_KEY", "REFERRALHUB_URL", "REFERRALHUB_KEY", "REFERRALHUB_SECRET")
EVERY = 2  # seconds, after which what was not answered is sent again


def create_app(environ: Mapping[str, str] = os.environ) -> Flask:
    """Build the shop."""
    app = Flask(__name__)
    app.config.update({name: environ[name] for name in SETTINGS})
    # A name of its own: cookies know no ports, and ReferralHub may be on the same machine.
    app.config.update(SESSION_COOKIE_NAME="shop", SESSION_COOKIE_SAMESITE="Lax")
    app.register_blueprint(pages.bp)
    app.before_request(referrals.keep_click)
    app.teardown_appcontext(database.close)
    CSRFProtect(app).exempt(pages.webhook)  # which is signed
    with app.app_context():
        database.prepare()
    return app


def serve() -> Flask:
    """Build it with a thread that tells ReferralHub what happens: nobody who buys tea waits for that."""
    app = create_app()
    threading.Thread(target=keep_sending, args=[app], daemon=True).start()
    return app


def keep_sending(app: Flask) -> None:
    """Send what happens as it happens, and what was not answered again and again."""
    while True:
        pages.happened.wait(EVERY)
        pages.happened.clear()
        with app.app_context():
            try:
                referrals.send(database.connection())
            except requests.RequestException as error:
                app.logger.warning("ReferralHub does not take events now: %s", error)
