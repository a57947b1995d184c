"""Flask-DebugToolbar beside each page: what it took, and which statements it sent. On somebody's own machine alone."""

import warnings
from base64 import b64encode
from hashlib import sha256

from flask import Flask, Response, url_for

from referralhub.response_headers import POLICY

# All that it has, but for the one that shows the secret key.
PANELS = (
    "versions.VersionDebugPanel", "timer.TimerDebugPanel", "headers.HeaderDebugPanel",
    "request_vars.RequestVarsDebugPanel", "template.TemplateDebugPanel", "sqlalchemy.SQLAlchemyDebugPanel",
    "logger.LoggingPanel", "route_list.RouteListDebugPanel", "profiler.ProfilerDebugPanel", "g.GDebugPanel",
)  # fmt: skip
CONFIG: dict[str, object] = {
    "DEBUG_TB_ENABLED": True,
    "DEBUG_TB_INTERCEPT_REDIRECTS": False,
    "DEBUG_TB_PANELS": [f"flask_debugtoolbar.panels.{panel}" for panel in PANELS],
    "SQLALCHEMY_RECORD_QUERIES": True,
}


def init_app(app: Flask) -> None:
    """Put it onto each page, and let the page's policy know."""
    from flask_debugtoolbar import DebugToolbarExtension  # noqa: PLC0415 - only who develops has it

    warnings.filterwarnings("ignore", "Could not insert debug toolbar")  # into what is a part of a page
    app.after_request(_allow)
    DebugToolbarExtension(app)


def _allow(response: Response) -> Response:
    """Let its own line of script run, and its styles hide things; all else stays forbidden."""
    path = url_for("_debug_toolbar.static", filename="")
    digest = b64encode(sha256(f"var DEBUG_TOOLBAR_STATIC_PATH = '{path}'".encode()).digest()).decode()
    policy = POLICY.replace("script-src 'self'", f"script-src 'self' 'sha256-{digest}'")
    response.headers["Content-Security-Policy"] = f"{policy}; style-src-attr 'unsafe-inline'"
    return response
