"""All that connects the shop with ReferralHub. docs/connect.md says more about each step."""

import base64
import hmac
import json
import time
from sqlite3 import Connection, Row
from urllib.parse import quote

import requests
from flask import current_app, redirect, request, session
from werkzeug.wrappers import Response


def call(method: str, path: str, body: object = None) -> requests.Response:
    """Ask ReferralHub for something. Raises RequestException where it refuses, or does not answer."""
    url, key = current_app.config["REFERRALHUB_URL"], current_app.config["REFERRALHUB_KEY"]
    headers = {"Authorization": f"Bearer {key}"}
    answer = requests.request(method, f"{url}/api/v1{path}", json=body, headers=headers, timeout=9)
    answer.raise_for_status()
    return answer


def keep_click() -> Response | None:
    """Before each request: who followed a friend's link brings a click, which goes along with the signup."""
    if "rh" not in request.args:
        return None
    session["click"] = request.args["rh"]
    return redirect(request.path)  # so that nobody passes it on with the address


def note(db: Connection, kind: str, number: object, **more: object) -> None:
    """Write an event down in the transaction of its cause. Its id stays the same, however often it is sent."""
    event = {"id": f"{kind}-{number}", "type": kind, "occurred_at": time.strftime("%FT%TZ", time.gmtime())}
    db.execute("INSERT INTO outbox (event) VALUES (?)", [json.dumps(event | more)])


def send(db: Connection) -> None:
    """Send the events that wait. What is not answered is sent again: ReferralHub knows what it has."""
    waiting = db.execute("SELECT id, event FROM outbox WHERE status IS NULL ORDER BY id LIMIT 100").fetchall()
    if waiting:
        results = call("POST", "/events", [json.loads(row["event"]) for row in waiting]).json()["results"]
        said = [(each["status"], each.get("reason"), row["id"]) for each, row in zip(results, waiting, strict=True)]
        with db:
            db.executemany("UPDATE outbox SET status = ?, reason = ? WHERE id = ?", said)


def offer(code: str) -> dict[str, object]:
    """Return who invites with a code, and to what. Raises HTTPError where nobody does."""
    return call("GET", f"/codes/{quote(code, safe='')}").json()


def dashboard(customer: Row) -> str:
    """Return an address that leads a customer, once and without a password, to their link and their friends."""
    call("PUT", f"/members/{customer['id']}", {"email": customer["email"], "name": customer["name"]})
    return call("POST", f"/members/{customer['id']}/sign-in-links").json()["url"]


def receive(db: Connection) -> tuple[str, int]:
    """Answer a webhook. One that is not answered with 2xx comes again; a reward is given once, by its number."""
    secret = base64.b64decode(current_app.config["REFERRALHUB_SECRET"].removeprefix("whsec_"))
    number, at, theirs = (request.headers[f"webhook-{name}"] for name in ("id", "timestamp", "signature"))
    signed = f"{number}.{at}.".encode() + request.get_data()
    mine = "v1," + base64.b64encode(hmac.digest(secret, signed, "sha256")).decode()
    if not any(hmac.compare_digest(mine, each) for each in theirs.split()) or abs(time.time() - int(at)) > 300:
        return "", 401
    if request.json["type"] == "reward.due":
        path = f"/rewards/{request.json['data']['id']}"
        reward = call("GET", path).json()  # as it is now: this message may be old
        if reward["state"] == "due":
            with db:
                new = "INSERT INTO credit (reward, customer_id, amount) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
                db.execute(new, [reward["id"], reward["external_id"], reward["amount"]])
            call("POST", f"{path}/fulfilled", {"reference": f"credit-{reward['id']}"})
    return "", 204
