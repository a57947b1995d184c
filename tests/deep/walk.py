"""Everything that a member and a friend of theirs can do here, page after page and form after form."""

from email.message import EmailMessage
from urllib.parse import parse_qs, urlsplit

from referralhub.extensions import db
from referralhub.models import ReferralState, User
from referralhub.services.accounts import passwords
from tests import two_factor
from tests.claims import CLAIMS, answer, claim
from tests.people import Person, PostOffice, path_of
from tests.pictures import picture

PERIODS = ("all", "month", "week")
NETWORK = "/dashboard/network"
STOP = "List-Unsubscribe"
CRAWLER = {"User-Agent": "Twitterbot/1.0"}
PAGES = (
    "/", "/privacy", "/readyz", "/healthz", "/dev/mailbox", "/dev/styleguide", "/picture.png", "/robots.txt",
    "/sitemap.xml", "/llms.txt", "/manifest.webmanifest", "/brand/e5342b.css", "/brand/e5342b/sample.css",
    "/brand/e5342b.svg", "/brand/icon-192.png", f"/brand/logo/{'0' * 64}.png", "/dashboard/", "/dashboard/stats",
    "/dashboard/recent", "/dashboard/next", "/dashboard/network", "/dashboard/qr.svg", "/dashboard/qr.png",
    "/dashboard/picture/square.png", "/dashboard/picture/tall.png", "/dashboard/invite", "/account/",
    "/account/profile", "/account/code", "/account/language", "/account/email", "/account/password",
    "/account/confirm", "/account/sessions", "/account/notifications", "/account/data", "/account/two-factor",
    "/account/referrer", "/login/provider", "/login/provider/return", "/account/export", "/login", "/signup", "/join",
    "/password/forgot", *(f"/leaderboard?period={each}" for each in PERIODS),
)  # fmt: skip


def known_as(post_office: PostOffice, user_id: int) -> Person:
    """Give somebody whom bulk loading made a password, and so a person who signs in."""
    with post_office.app.app_context():
        user = db.session.get_one(User, user_id)
        person = Person(post_office.app, post_office, user.username)
        person.email = user.email
        user.password_hash, user.verified_at = passwords.hash_password(person.password), user.created
        db.session.commit()
    return person


def look_around(member: Person) -> None:
    """Open every page, and every list in each way and to its end."""
    for path in PAGES:
        member.client.get(path)
    states = [f"?state={state.value}" for state in ReferralState]
    for path in (
        "/dashboard/rewards",
        "/dashboard/invite",
        CLAIMS,
        *(f"/dashboard/referrals{each}" for each in ("", *states)),
    ):
        turn_to_the_end(member, path)
    for mark in ("claims_after", "handed_over_after"):
        turn_to_the_end(member, "/dashboard/rewards", mark)
    turn_to_the_end(member, NETWORK)
    for link in branches(member):
        turn_to_the_end(member, link)


def branches(member: Person) -> list[str]:
    """Give the addresses of the first few branches of the member's network, where there are any."""
    return [link for anchor in member.get(NETWORK).all("a") if (link := anchor["href"]).startswith(f"{NETWORK}/")][:3]


def turn_to_the_end(member: Person, path: str, mark: str = "after") -> None:
    """Follow the links to older parts of one list until there is no more."""
    while path:
        links = [anchor["href"] for anchor in member.get(path).all("a") if anchor.text in ("Older", "More")]
        path = next((link for link in links if mark in parse_qs(urlsplit(link).query)), "")


def fill_in_forms(member: Person, number: int) -> None:
    """Send every form of a member, `number` being the member's own."""
    member.submit(member.get("/account/profile").form("/account/profile"), display_name=f"Walker {number}")
    member.submit(member.get("/account/code").form("/account/code"), code=f"walker-{number}")
    for language in ("de", "browser"):
        member.submit(member.get("/account/language").form("/account/language"), language=language)
    show_oneself(member)
    member.submit(member.get("/account/notifications").form("/account/notifications"))
    member.submit(member.get("/account/confirm").form("/account/confirm"), password=member.password)
    member.post("/verify/resend", token_of(member), 303)
    for action in ("/dashboard/share-text/preview", "/dashboard/share-text"):
        member.client.post(action, data={**token_of(member), "text": f"Come along with walker {number}."})
    invite = "/dashboard/invite"
    preview = member.submit(member.get(invite).form(invite), 200, addresses=f"new-{number}@example.net {member.email}")
    member.submit(preview.form(invite), send="yes")
    for action in ("/remind", "/redeem"):
        page = member.get(invite if action == "/remind" else "/dashboard/rewards")
        forms = [form for form in page.all("form") if form["action"].endswith(action)]
        member.submit(forms[0], None)
    seek_credit(member, number)
    change_secrets(member, number)


def show_oneself(member: Person) -> None:
    """Put up a picture, look at it, take it down, and put up another."""
    profile, picture_form = "/account/profile", "/account/picture"
    for size in ((40, 20), (50, 20)):
        member.upload(member.get(profile).form(picture_form), picture=picture(size=size))
        shown = [image["src"] for image in member.get(profile).all("img") if image["src"].startswith("/brand/avatar/")]
        assert member.file(shown[0]).status_code == 200
        if size == (40, 20):
            member.post(f"{picture_form}/remove", token_of(member), 303)


def seek_credit(member: Person, number: int) -> None:
    """Miss a friend, who says so, too, and then enters a code; appeal against a rejection, if there is one."""
    loner = Person(member.post_office.app, member.post_office, f"loner-{number}", REMOTE_ADDR="192.0.2.8")
    loner.sign_up()
    loner.confirm_address()
    claim(member, loner.email)
    answer(loner, "yes")
    loner.get("/account/referrer")
    loner.submit(loner.get("/account/referrer").form("/account/referrer"), referral_code=member.code)
    page = member.get("/dashboard/referrals?state=rejected")
    forms = [form["action"] for form in page.all("form") if form["action"].endswith("/appeal")]
    member.post([*forms, "/dashboard/referrals/1/appeal"][0], token_of(member) | {"words": "No robot."}, None)


def change_secrets(member: Person, number: int) -> None:
    """Change what somebody signs in with, in every way there is."""
    member.in_another_browser().sign_in()
    page = member.get("/account/sessions")
    member.submit(next(form for form in page.all("form") if form["action"].endswith("/end")))
    member.submit(member.get("/account/sessions").form("/account/sessions/end-others"))
    new = "quite another secret"
    form = member.get("/account/password").form("/account/password")
    member.submit(form, password=member.password, new_password=new, new_password_confirm=new)
    member.password = new
    member.change_address(f"walker-{number}@example.org")
    take_two_steps(member)
    member.sign_out()
    member.submit(member.get("/password/forgot").form("/password/forgot"), 200, email=member.email)
    reset = member.mailed_path("/password/reset/")
    member.submit(member.get(reset).form(reset), password="yet another one", password_confirm="yet another one")
    member.password = "yet another one"
    member.sign_out()
    member.sign_in()


def take_two_steps(member: Person) -> None:
    """Set up a second step, sign in with it, make new recovery codes, and switch it off."""
    _, codes = two_factor.set_up(member, member.post_office.app.config["CLOCK"])
    two_factor.sign_in(member.in_another_browser(), codes[0])
    settings = two_factor.SETTINGS
    page = member.get(settings)
    shown = member.submit(page.form(f"{settings}/codes"), 200, **{"codes-password": member.password})
    code = two_factor.codes_on(shown)[0]
    member.submit(page.form(f"{settings}/off"), code=code, password=member.password)


def bring(member: Person, name: str) -> Person:
    """Let somebody see the member's link, follow it, join, confirm the address, and want no such mail any more."""
    friend = Person(member.post_office.app, member.post_office, name, REMOTE_ADDR="192.0.2.7")
    path = path_of(member.link)
    friend.get(path, headers=CRAWLER)
    friend.file(f"{path}picture.png")
    for page in ("/", "/login", "/signup", "/leaderboard"):
        friend.get(page)
    friend.click(member.link)
    friend.sign_up()
    friend.post("/verify/resend", token_of(friend), 303)
    friend.confirm_address()
    member.post_office.deliver()
    stop = [unsubscribe_path(each) for each in member.post_office.letters(member.email) if STOP in each][-1]
    friend.get(stop)
    friend.client.post(stop, data={STOP: "One-Click"})
    return friend


def token_of(person: Person) -> dict[str, str]:
    """Give what a form needs beside its fields."""
    return {"csrf_token": person.get("/account/data").all('[name="csrf_token"]')[0]["value"]}


def unsubscribe_path(letter: EmailMessage) -> str:
    """Give the path behind "no more of these"."""
    return path_of(letter[STOP].strip("<>"))
