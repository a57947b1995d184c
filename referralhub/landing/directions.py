"""What machines are told about the site: search engines, networks that show a link, and phones that install it."""

from html import escape

from flask import Blueprint, Response, url_for
from flask_babel import gettext as _

from referralhub import languages
from referralhub.branding import shown
from referralhub.branding.shown import brand
from referralhub.branding.views import file_named_by
from referralhub.extensions import limiter
from referralhub.landing.picture import draw_headline
from referralhub.response_headers import FOR_EVERYBODY
from referralhub.urls import public_url

HOUR = "public, max-age=3600"
PUBLIC = ("landing.home", "dashboard.show_leaderboard", "auth.signup", "landing.privacy")  # pages to be found
FOR_PROGRAMS = ("/llms.txt", "/api/")  # that are written, or run, to use ours
NEEDED = ("/static/", "/brand/", "/manifest.webmanifest", "/picture.png", "/sitemap.xml")  # by who looks at those
PRIVATE = ("/account/", "/admin/", "/dashboard/")
# Who fetches a page because a person shared its link, and asks first whether that is welcome.
PREVIEWERS = (
    "Twitterbot", "facebookexternalhit", "Facebot", "LinkedInBot", "WhatsApp", "TelegramBot", "Slackbot", "Discordbot",
    "redditbot", "Pinterestbot", "SkypeUriPreview", "Iframely",
)  # fmt: skip

bp = Blueprint("directions", __name__)
limiter.exempt(bp)


@bp.get("/robots.txt")
def robots() -> Response:
    """Say what may be looked at (RFC 9309): the public pages; by who shows links to people, members' links, too.

    Members' links are names without a common beginning, so everything is closed and the public pages are opened.
    """
    home = url_for("landing.home")
    root = home.rstrip("/")
    pages = [url_for(each) for each in (*PUBLIC[1:], "auth.login", "auth.join")]
    opened = [f"{home}$", *(f"{page}{end}" for page in pages for end in ("$", "?"))]
    lines = [
        *(f"User-agent: {each}" for each in PREVIEWERS),
        *(f"Disallow: {root}{each}" for each in PRIVATE),
        "",
        "User-agent: *",
        *(f"Allow: {each}" for each in [*opened, *(f"{root}{each}" for each in (*NEEDED, *FOR_PROGRAMS))]),
        f"Disallow: {root}/",
        "",
        f"Sitemap: {public_url('directions.sitemap')}",
    ]
    return _answer("\n".join(lines) + "\n", "text/plain")


@bp.get("/sitemap.xml")
def sitemap() -> Response:
    """List the public pages (sitemaps.org); our privacy notice only where the operator has no other one."""
    pages = [each for each in PUBLIC if each != "landing.privacy" or not brand.privacy_url]
    urls = "".join(f"  <url><loc>{escape(public_url(each))}</loc></url>\n" for each in pages)
    return _answer(
        f'<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{urls}</urlset>\n',
        "application/xml",
    )


@bp.get("/llms.txt")
def for_language_models() -> Response:
    """Say in short what this is and where to read on (llmstxt.org)."""
    lines = [
        f"# {brand.name}",
        "",
        "> A referral program: members share a link, and are credited for the friends who join or buy by it. Programs",
        "> use it over a JSON API: members, codes, events (signups, purchases, refunds), referrals, rewards.",
        "",
        "Keys are sent as `Authorization: Bearer KEY`, amounts are whole numbers of the smallest unit of a currency,",
        "times are ISO 8601 in UTC, errors are problem details (RFC 9457). Calls that change something can be sent",
        "again: under the same `Idempotency-Key`, or the same number of an event, they are done once.",
        "",
        "## API",
        "",
        f"- [OpenAPI 3.1 document]({public_url('api.openapi')}): every call, with all its answers",
        f"- [Reference]({public_url('api.reference')}): the same for people, with an example of each call",
    ]
    return _answer("\n".join(lines) + "\n", "text/plain")


@bp.get("/manifest.webmanifest")
def manifest() -> Response:
    """Tell a phone how to install the site."""
    text = shown.manifest()
    return file_named_by(shown.digest_of(text), text, "application/manifest+json")


@bp.get("/picture.png")
def picture() -> Response:
    """Draw the picture that goes with a shared public page."""
    with languages.speaking(languages.of_browser()):  # whoever is signed in: it is kept for others, too
        headline = brand.headline or "\n".join((_("Share one link."), _("See every friend count.")))
    drawn = draw_headline(headline, brand.name, brand.accent)
    headers = FOR_EVERYBODY | {"Cache-Control": HOUR, "Vary": "Accept-Language"}
    return Response(drawn, mimetype="image/png", headers=headers)


def _answer(text: str, mimetype: str) -> Response:
    return Response(text, mimetype=mimetype, headers={"Cache-Control": HOUR})
