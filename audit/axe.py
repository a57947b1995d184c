"""axe on every page, in the light and in the dark."""

from collections.abc import Iterable

from audit.pages import Page, opened
from audit.site import Site
from tests.browser.conftest import violations

MORE = "color-contrast-enhanced"  # level AAA: looked for with the colours in the dark, and not in the light


def findings(site: Site, pages: Iterable[Page]) -> list[str]:
    """Return every place where axe finds anything, however slight."""
    found = []
    for page in pages:
        with opened(site, page) as tab:
            for scheme in ("light", "dark"):
                found += [
                    f"{page}, {scheme}: {violation['id']} ({violation['impact']}): {node['html']}"
                    for violation in violations(tab, scheme)
                    if violation["id"] != MORE
                    for node in violation["nodes"]
                ]
    return found
