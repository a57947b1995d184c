"""The shop's pages."""

import json
import threading

import requests
from flask import Blueprint, abort, flash, g, redirect, render_template, request, session, url_for
from werkzeug.security import check_password_hash, generate_password_hash
from werkzeug.wrappers import Response

from examples.shop import referrals
from examples.shop.database import connection, one, rows

CURRENCY = "EUR"
PRODUCTS = {
    "sencha": ("Sencha", 1200, "Green tea from Shizuoka, the first harvest of the year. 100 g."),
    "oolong": ("Oolong", 1800, "Half way between green and black, with a taste of orchids. 100 g."),
    "teapot": ("Teapot", 4900, "Cast iron, for six cups, and for life."),
}
bp = Blueprint("shop", __name__)
happened = threading.Event()  # something that ReferralHub is to be told


@bp.app_template_filter()
def euros(cents: int) -> str:
    """Write an amount."""
    return f"{cents / 100:.2f} €"


@bp.before_app_request
def find_customer() -> None:
    """Find out who asks."""
    g.customer = one("SELECT * FROM customer WHERE id = ?", session.get("customer"))


@bp.get("/")
def home() -> str:
    """Show what there is."""
    return render_template("home.html", products=PRODUCTS)


@bp.get("/tea/<slug>")
def product(slug: str) -> str:
    """Show one product."""
    name, price, about = PRODUCTS.get(slug) or abort(404)
    return render_template("product.html", slug=slug, name=name, price=price, about=about)


@bp.route("/signup", methods=["GET", "POST"])
def signup() -> str | Response | tuple[str, int]:
    """Make an account, and tell of it."""
    if request.method == "GET":
        return render_template("signup.html")
    name, email = request.form["name"].strip(), request.form["email"].strip()
    db = connection()
    with db:
        made = db.execute(
            "INSERT INTO customer (name, email, password) VALUES (?, ?, ?) ON CONFLICT DO NOTHING RETURNING id",
            [name, email, generate_password_hash(request.form["password"])],
        ).fetchone()
        if made:
            click = {"click": session.pop("click")} if "click" in session else {}
            referrals.note(db, "signup", made["id"], customer=described(made["id"], name, email), **click)
    if not made:
        flash("There is an account with this address: sign in.")
        return render_template("signup.html"), 422
    happened.set()
    session["customer"] = made["id"]
    return onward()


@bp.route("/login", methods=["GET", "POST"])
def login() -> str | Response | tuple[str, int]:
    """Let a customer in."""
    if request.method == "GET":
        return render_template("login.html")
    found = one("SELECT * FROM customer WHERE email = ?", request.form["email"].strip())
    if found is None or not check_password_hash(found["password"], request.form["password"]):
        flash("This is no address and password of ours.")
        return render_template("login.html"), 422
    session["customer"] = found["id"]
    return onward()


@bp.post("/logout")
def logout() -> Response:
    """Let a customer go."""
    session.clear()
    return redirect(url_for("shop.home"))


@bp.route("/checkout/<slug>", methods=["GET", "POST"])
def checkout(slug: str) -> str | Response:
    """Sell one product. A friend's code is looked up when its button is pressed, and told before the purchase."""
    name, price, _ = PRODUCTS.get(slug) or abort(404)
    if g.customer is None:
        return redirect(url_for("shop.signup", buy=slug))
    code = request.values.get("code", "").strip()
    credit = min(credit_of(g.customer["id"]), price)
    if request.method == "GET":
        offer = offer_of(code) if code else None
        shown = {"slug": slug, "name": name, "price": price, "credit": credit, "code": code, "offer": offer}
        return render_template("checkout.html", **shown)
    db = connection()
    with db:
        insert = "INSERT INTO purchase (customer_id, product, paid) VALUES (?, ?, ?) RETURNING id"
        number = db.execute(insert, [g.customer["id"], name, price - credit]).fetchone()["id"]
        if credit:
            spend = "INSERT INTO credit (customer_id, amount, purchase_id) VALUES (?, ?, ?)"
            db.execute(spend, [g.customer["id"], -credit, number])
        if code:  # a friend who came by no link says now who sent them
            referrals.note(db, "signup", f"at-{number}", customer=described(**g.customer), code=code)
        who = {"external_id": str(g.customer["id"])}
        referrals.note(db, "purchase", number, customer=who, amount=price - credit, currency=CURRENCY)
    happened.set()
    flash("Thank you! Your tea is on its way.")
    return redirect(url_for("shop.orders"))


@bp.get("/orders")
def orders() -> str | Response:
    """Show a customer what they bought, and what they may spend."""
    if g.customer is None:
        return redirect(url_for("shop.login"))
    bought = rows("SELECT * FROM purchase WHERE customer_id = ? ORDER BY id DESC", g.customer["id"])
    return render_template("orders.html", orders=bought, credit=credit_of(g.customer["id"]))


@bp.post("/referrals")
def referrals_page() -> Response:
    """Lead a customer to their link and their friends, which are at ReferralHub."""
    if g.customer is None:
        abort(403)
    try:
        return redirect(referrals.dashboard(g.customer))
    except requests.RequestException:
        flash("Your referrals cannot be shown now. Please try again in a minute.")
        return redirect(url_for("shop.orders"))


@bp.get("/office")
def office() -> str:
    """Show the owner every order, and what ReferralHub was told."""
    require_owner()
    query = "SELECT purchase.*, name FROM purchase JOIN customer ON customer.id = customer_id"
    sold = rows(f"{query} ORDER BY purchase.id DESC")
    told = rows("SELECT * FROM outbox ORDER BY id DESC LIMIT 50")
    return render_template("office.html", orders=sold, told=[(json.loads(each["event"]), each) for each in told])


@bp.post("/office/orders/<int:number>/refund")
def refund(number: int) -> Response:
    """Give money back, a part or all that is left of it."""
    require_owner()
    amount = round(float(request.form["amount"]) * 100)
    db = connection()
    with db:
        pay = "UPDATE purchase SET refunded = refunded + ?1 WHERE id = ?2 AND ?1 BETWEEN 1 AND paid - refunded"
        sold = db.execute(f"{pay} RETURNING customer_id", [amount, number]).fetchone()
        if sold:
            insert = "INSERT INTO refund (purchase_id, amount) VALUES (?, ?) RETURNING id"
            id_ = db.execute(insert, [number, amount]).fetchone()["id"]
            who = {"external_id": str(sold["customer_id"])}
            of = f"purchase-{number}"
            referrals.note(db, "refund", id_, customer=who, refund_of=of, amount=amount, currency=CURRENCY)
    happened.set()
    flash(f"{euros(amount)} went back." if sold else "Not so much is left to be given back.")
    return redirect(url_for("shop.office"))


@bp.post("/webhooks/referrals")
def webhook() -> tuple[str, int]:
    """Take what ReferralHub tells."""
    return referrals.receive(connection())


def described(id: int, name: str, email: str, **_: object) -> dict[str, str | None]:
    """Say who signs up. Where from and with what they come helps to find people who refer themselves."""
    browser = {"ip": request.remote_addr, "user_agent": request.user_agent.string}
    return {"external_id": str(id), "name": name, "email": email} | browser


def offer_of(code: str) -> dict[str, object] | None:
    """Look a typed code up; None for nobody's, and while nobody can be asked."""
    try:
        return referrals.offer(code)
    except requests.RequestException:
        return None


def credit_of(customer: int) -> int:
    """Return what a customer may spend, in cents."""
    (found,) = rows("SELECT coalesce(sum(amount), 0) AS cents FROM credit WHERE customer_id = ?", customer)
    cents: int = found["cents"]
    return cents


def onward() -> Response:
    """Lead somebody who has just come in to what they were about to buy."""
    buy = request.args.get("buy", "")
    return redirect(url_for("shop.checkout", slug=buy) if buy in PRODUCTS else url_for("shop.orders"))


def require_owner() -> None:
    """Let nobody else in."""
    if g.customer is None or not g.customer["is_owner"]:
        abort(403)
