"""What templates can call: words for what they show, and addresses of static files that never go stale."""

from functools import lru_cache, partial

from flask import Flask, current_app, request
from flask_login import current_user
from markupsafe import Markup

from referralhub.branding import shown
from referralhub.config import Settings
from referralhub.models import Badge
from referralhub.static_files import digest, integrity
from referralhub.urls import here, public_url
from referralhub.words import events, fraud, fulfilment, missing, offers, referrals
from referralhub.words.amounts import figure_and_unit, format_amount, format_decimals, format_number, format_percent
from referralhub.words.dates import ago, day, minute, month, month_name, short_month, span
from referralhub.words.language import translated
from referralhub.words.letters import badge_name
from referralhub.words.names import called
from referralhub.words.sharing import channel_label
from referralhub.words.sign_in import browser
from referralhub.words.text import before_stop, sentence_case


def init_app(app: Flask) -> None:
    """Register filters and globals, and fingerprint static files."""
    settings: Settings = app.config["SETTINGS"]
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(
        ago=ago,
        amount=format_amount,
        called=called,
        day=day,
        decimals=format_decimals,
        minute=minute,
        month=month,
        month_name=month_name,
        number=format_number,
        percent=format_percent,
        short_month=short_month,
        span=span,
        sentence_case=sentence_case,
        before_stop=before_stop,
        figure_and_unit=figure_and_unit,
        badge_name=badge_name,
        channel_label=channel_label,
        spark_path=spark_path,
        browser=browser,
        translated=translated,
        **fraud.FILTERS,
        **events.FILTERS,
        **referrals.FILTERS,
        **missing.FILTERS,
        **offers.FILTERS,
        **fulfilment.FILTERS,
    )
    app.jinja_env.globals.update(
        # A proxy: pages that do not look at it load no session and no user.
        current_user=current_user,
        badges=list(Badge),
        brand=shown.brand,
        brand_mark=shown.mark,
        brand_css=shown.css_url,
        brand_icon=shown.icon_url,
        brand_manifest=shown.manifest_url,
        brand_picture_tag=shown.picture_tag,
        brand_support=shown.support,
        base_url=settings.base_url,
        here=here,
        icon=partial(icon, str(app.static_folder)),  # putting it together for each took as long as drawing the icon
        static_url=static_url,
        public_url=public_url,
        script=script,
        development=settings.development,
        test_program=settings.test_program,
    )


def static_url(file: str) -> str:
    """Return the address of a static file, which names its content as it was when this process first looked."""
    return _static_url(request.script_root, str(current_app.static_folder), file)


def script(file: str, how: str = "") -> Markup:
    """Return the element that loads a script of ours if its content is what it is now; `how` is "defer" or ""."""
    whole = integrity(f"{current_app.static_folder}/{file}")
    return Markup('<script src="{}" integrity="{}"{}></script>').format(
        static_url(file), whole, f" {how}" if how else ""
    )


def icon(folder: str, name: str, also: str = "") -> Markup:
    """Return a picture of the sprite; `also` is a class of its own. Words say the same beside it."""
    return _icon(request.script_root, folder, name, also)


# Pages name dozens of files and icons, so that making each address anew took a quarter of the time.
@lru_cache(maxsize=1024)  # a path that we are below can come from a proxy
def _static_url(root: str, folder: str, file: str) -> str:
    return f"{root}/static/{file}?v={digest(folder + '/' + file)}"


@lru_cache(maxsize=1024)
def _icon(root: str, folder: str, name: str, also: str) -> Markup:
    use = Markup('<use href="{}#{}" />').format(_static_url(root, folder, "img/icons.svg"), name)
    return Markup('<svg class="icon {}" aria-hidden="true" focusable="false">{}</svg>').format(also, use)


@lru_cache(maxsize=1024)  # mostly of people who had nothing
def spark_path(numbers: tuple[int, ...]) -> str:
    """Return the path of a line through these numbers: each is one wide, and the highest is ten high."""
    most = max(0, *numbers)
    heights = [round(10 - 9 * max(0, number) / most if most else 10) for number in numbers]
    bends = [
        f"{place} {height}"
        for place, height in enumerate(heights)
        if not (0 < place < len(heights) - 1 and heights[place - 1] == height == heights[place + 1])
    ]
    return f"M{' '.join(bends)}"
