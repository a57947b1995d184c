"""Page or fragment: the only place that reads or writes htmx's headers."""

from flask import Request, Response, make_response, redirect, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from referralhub.early_answers import Answer

TAG = "HX-PTag"
OF_CONTENT = {"Content-Type", "Content-Length", "HX-Trigger"}  # headers that go with it
STATS_CHANGED = "stats-changed"  # the event by which other parts of the dashboard hear of it


def wants_fragment() -> bool:
    """Whether htmx asked for a part of the page rather than a person for the whole."""
    return is_partial(request)


def is_partial(asked: Request) -> bool:
    """Whether htmx sent this request for a part of a page."""
    return asked.headers.get("HX-Request-Type") == "partial"


def page_or_fragment(page: str, fragment: str, /, **context: object) -> Response:
    """Render the fragment for htmx and the page that includes it for everybody else."""
    response = make_response(render_template(fragment if wants_fragment() else page, **context))
    response.vary.add("HX-Request-Type")
    return response


def conditional(asked: Request, answer: Answer) -> Answer:
    """Return a 304 in place of content that the asker already shows, by its tag (htmx's `ptag`, or an ETag)."""
    headers = dict(answer.headers)
    tag = headers.get(TAG)
    if not tag or (asked.headers.get(TAG) != tag and not asked.if_none_match.contains(tag)):
        return answer
    left = [(name, value) for name, value in answer.headers if name not in OF_CONTENT]
    return Answer("304 NOT MODIFIED", left)


def tagged(response: Response, tag: str, event: str | None = None) -> Response:
    """Label content with its tag; `event` is what the page's other parts wait for when it changed."""
    response.headers[TAG] = tag
    response.set_etag(tag)
    if event:
        response.headers["HX-Trigger"] = event
    return response


def go_to(url: str) -> BaseResponse:
    """Send the browser elsewhere, also from within a fragment's request."""
    if wants_fragment():
        return Response(status=401, headers={"HX-Redirect": url})
    return redirect(url, 303 if request.method == "POST" else 302)
