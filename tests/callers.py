"""Who comes to a link: what people's browsers, crawlers and pages that hide a link say of themselves."""

from pathlib import Path

DATA = Path(__file__).parent / "data"
CRAWLERS, BROWSERS = ((DATA / f"{name}.txt").read_text().splitlines() for name in ("crawlers", "browsers"))
NAVIGATES = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "cross-site"}
LOOKED_AT = {
    "a frame": {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
    "an image": {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
    "a fetch": {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
    "a style sheet": {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "style"},
}
