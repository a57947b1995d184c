"""`make screenshots`: every page and every mail at three widths, light and dark, and one sheet to see them all.

With `--readme` the few that the README shows are taken anew, and nothing else.
"""

import argparse
import html
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page as Tab
from playwright.sync_api import ViewportSize

from audit.pages import Page, crawl, opened
from audit.site import ADMIN, FRIEND, MEMBER, Site, running
from referralhub import languages, mail_content
from referralhub.clock import now
from referralhub.config import PROJECT
from referralhub.models import ledger_unit
from referralhub.services.brand import in_force
from referralhub.services.mailing.letters import SHARED
from referralhub.services.program import rules
from referralhub.urls import public_url
from referralhub.words import letters
from referralhub.words.texts import TITLES, sample_values

FOLDER = PROJECT / "screenshots"
WIDTHS = {360: 780, 768: 1024, 1440: 900}  # and the height of such a screen
SCHEMES = ("light", "dark")
SHEET = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>Every page</title>
<style>
  body {{ font: 14px/1.4 system-ui; margin: 24px; background: #888 }}
  figure {{ margin: 0 0 32px }}
  figcaption {{ font-weight: 600; margin-bottom: 8px }}
  div {{ display: flex; gap: 12px; align-items: start; overflow-x: auto }}
  img {{ display: block; height: auto }}
</style>
<h1>{count} pages</h1>
{figures}
</html>
"""


@dataclass(frozen=True)
class Shown:
    """A picture in the README: of whose screen, how large, and in which colours."""

    file: str
    who: str
    path: str
    size: ViewportSize
    scheme: str


PHONE: ViewportSize = {"width": 390, "height": 844}
README = (
    Shown("dashboard.png", MEMBER, "/dashboard/", {"width": 1200, "height": 900}, "light"),
    Shown("dashboard-phone.png", MEMBER, "/dashboard/", PHONE, "dark"),
    Shown("signup-phone.png", FRIEND, "/signup", PHONE, "light"),
    Shown("growth.png", ADMIN, "/admin/", {"width": 1440, "height": 1000}, "light"),
)


def for_readme(site: Site) -> None:
    """Take what the README shows; growth is that of a year with more members than the demo has."""
    for each in README:
        if each.who == ADMIN:
            site.hub.flask("seed", "bulk", "--members", "3000")
        with site.page(each.who, each.path) as tab:
            _settle(tab, each.size, each.scheme)
            tab.screenshot(path=PROJECT / "docs" / "img" / each.file, animations="disabled")


def everything(site: Site) -> list[tuple[str, list[str]]]:
    """Take every page, and return its title and its files."""
    taken = []
    for page in crawl(site).once():
        with opened(site, page) as tab:
            taken.append((str(page), list(_take(tab, _name(page)))))
    tab = site.browser.new_page()
    for name, mail in mails(site).items():
        tab.set_content(mail)
        taken.append((f"mail: {TITLES[name]}", list(_take(tab, f"mail_{name}"))))
    return taken


def mails(site: Site) -> dict[str, str]:
    """Return the HTML of every mail, with something filled in."""
    written = {}
    with site.app.app_context(), languages.speaking("en"):
        program = rules.current()
        unit = ledger_unit(program.unit, program.currency)
        values = sample_values(in_force.brand().name, unit, public_url)
        for name in TITLES.keys() - SHARED:
            mail = mail_content.sample(*letters.said(name, values, letters.original(name)), "robin@example.com", now())
            part = mail.get_body(("html",))
            written[name] = str(part.get_content()) if part else ""
    return dict(sorted(written.items()))


def _name(page: Page) -> str:
    """Return what its files begin with."""
    route = page.rule.replace("<", "").replace(">", "").strip("/") or "home"
    return f"{page.who}_{route}".translate(str.maketrans("/: (=)", "------"))


def _settle(tab: Tab, size: ViewportSize, scheme: str) -> None:
    tab.set_viewport_size(size)
    tab.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")


def _take(tab: Tab, name: str) -> Iterator[str]:
    for width, height in WIDTHS.items():
        for scheme in SCHEMES:
            _settle(tab, {"width": width, "height": height}, scheme)
            file = f"{name}_{width}_{scheme}.png"
            tab.screenshot(path=FOLDER / file, full_page=True, animations="disabled")
            yield file


def sheet(taken: list[tuple[str, list[str]]]) -> str:
    """Return one page with all of them."""
    figures = []
    for title, files in taken:
        images = "".join(
            f'<a href="{file}"><img src="{file}" width="{_shown(file)}" loading="lazy"></a>' for file in files
        )
        figures.append(f"<figure><figcaption>{html.escape(title)}</figcaption><div>{images}</div></figure>")
    return SHEET.format(count=len(taken), figures="\n".join(figures))


def _shown(file: str) -> int:
    """Return how wide a picture is on the sheet."""
    return int(file.split("_")[-2]) // 3


def main() -> None:
    """Take them."""
    parser = argparse.ArgumentParser("make screenshots", description=__doc__)
    parser.add_argument("--readme", action="store_true", help="only those that the README shows, into docs/img")
    chosen = parser.parse_args()
    with running() as site:
        if chosen.readme:
            for_readme(site)
            return
        shutil.rmtree(FOLDER, ignore_errors=True)
        FOLDER.mkdir()
        taken = everything(site)
    Path(FOLDER, "index.html").write_text(sheet(taken), encoding="utf-8")
    print(f"{len(taken)} pages: {FOLDER}/index.html")


if __name__ == "__main__":
    main()
