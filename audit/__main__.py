"""`make audit`: what Lighthouse, axe, the Nu HTML checker and scales say of a running server; exit 1 on a finding."""

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from audit import axe, lighthouse, nu, weight
from audit.pages import Found, crawl
from audit.site import MEMBER, NEWCOMER, Site, running

SHOWN = 20  # findings of one row


@dataclass(frozen=True)
class Row:
    """One line of the table; what is wrong is told below it."""

    what: str
    result: str
    findings: list[str] = field(default_factory=list)
    skipped: bool = False

    @property
    def mark(self) -> str:
        """Return what the last column says."""
        return "skipped" if self.skipped else "miss" if self.findings else "held"


def links(_: Site, found: Found) -> Iterator[Row]:
    """Say what was found at all."""
    yield Row(f"{len(found.pages)} pages, {len(found.parts)} parts", "every route and link answers", found.wrong)


def nu_checker(_: Site, found: Found) -> Iterator[Row]:
    """Check the HTML of everything."""
    errors = nu.errors([*found.pages, *found.parts])
    yield Row(f"Nu HTML checker: {len(found.pages)} pages, {len(found.parts)} parts", f"{len(errors)} errors", errors)


def axe_everywhere(site: Site, found: Found) -> Iterator[Row]:
    """Look at each page, light and dark."""
    pages = found.once()
    findings = axe.findings(site, pages)
    yield Row(f"axe: {len(pages)} pages, light and dark", f"{len(findings)} findings", findings)


def scales(site: Site, _: Found) -> Iterator[Row]:
    """Weigh the dashboard of a member with friends, and of one whose address is to be confirmed."""
    for who in (MEMBER, NEWCOMER):
        first, again = weight.two_visits(site.browser, site.people[who], f"{site.base_url}/dashboard/")
        yield Row(f"dashboard of a {who}", f"{first}; again {again}", weight.too_much(first, again))


def lighthouses(site: Site, _: Found) -> Iterator[Row]:
    """Let Lighthouse look at the pages by which people come and stay."""
    subjects = lighthouse.subjects(site)
    for subject in subjects:
        try:
            scores = lighthouse.look(site, subject)
        except lighthouse.GivenUp as error:
            yield Row(f"Lighthouse: {subject.name}", "gave up", [str(error)])
            continue
        said = ", ".join(f"{category} {points}" for category, points in scores.points.items())
        yield Row(f"Lighthouse: {subject.name}", said, [scores.figures, *scores.lacks] if scores.missed else [])
    if all(subject.name != "join" for subject in subjects):
        yield Row("Lighthouse: join", "a link leads to the signup form: there is no such page", skipped=True)


PARTS: dict[str, Callable[[Site, Found], Iterator[Row]]] = {
    "links": links, "nu": nu_checker, "axe": axe_everywhere, "weight": scales, "lighthouse": lighthouses,
}  # fmt: skip


def main() -> None:
    """Look, and say what was found."""
    parser = argparse.ArgumentParser("make audit", description=__doc__)
    parser.add_argument("--only", default=",".join(PARTS), help=f"a choice of: {','.join(PARTS)}")
    wanted = parser.parse_args().only.split(",")
    if unknown := {*wanted} - PARTS.keys():
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are: {', '.join(PARTS)}")
    rows = []
    with running() as site:
        found = crawl(site)
        for name in wanted:
            for row in PARTS[name](site, found):
                rows.append(row)
                print(f"{row.what:45} {row.result:75} {row.mark}", flush=True)
    for row in rows:
        if row.findings:
            more = len(row.findings) - SHOWN
            print("", row.what, *row.findings[:SHOWN], *([f"… and {more} more"] if more > 0 else []), sep="\n  ")
    missed = sum(bool(row.findings) for row in rows)
    print(f"\nmarks: {sum(row.mark == 'held' for row in rows)} of {len(rows)} held")
    sys.exit(missed > 0)


if __name__ == "__main__":
    main()
