"""Page or fragment: the only place that reads or writes htmx's headers."""

from flask import Request, Response, make_response, redirect, render_template, request
from werkzeug.wrappers import Response as BaseResponse

STATS_CHANGED = "stats-changed"  # the event by which other parts of the dashboard hear of it


def wants_fragment() -> bool:
    """Whether htmx asked for a part of the page rather than a person for the whole."""
    return request.headers.get("HX-Request-Type") == "partial"


def page_or_fragment(page: str, fragment: str, /, **context: object) -> Response:
    """Render the fragment for htmx and the page that includes it for everybody else."""
    response = make_response(render_template(fragment if wants_fragment() else page, **context))
    response.vary.add("HX-Request-Type")
    return response


def has(asked: Request, tag: str) -> bool:
    """Whether the asker already shows the content with this tag (htmx's `ptag`, or an ETag)."""
    return asked.headers.get("HX-PTag") == tag or asked.if_none_match.contains(tag)


def unchanged(tag: str) -> Response | None:
    """Return a 304 when the asker already shows the content with this tag."""
    return tagged(Response(status=304), tag) if has(request, tag) else None


def tagged(response: Response, tag: str, event: str | None = None) -> Response:
    """Label content with its tag; `event` is what the page's other parts wait for when it changed."""
    response.headers["HX-PTag"] = tag
    response.set_etag(tag)
    if event:
        response.headers["HX-Trigger"] = event
    return response


def go_to(url: str) -> BaseResponse:
    """Send the browser elsewhere, also from within a fragment's request."""
    if wants_fragment():
        return Response(status=401, headers={"HX-Redirect": url})
    return redirect(url, 303 if request.method == "POST" else 302)
