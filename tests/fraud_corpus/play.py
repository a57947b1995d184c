"""Plays the stories through the services, in order of time, and counts what became of each signup."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import perf_counter
from unittest import mock

from flask import Flask
from sqlalchemy import select

from referralhub.database import transaction
from referralhub.extensions import db
from referralhub.models import NO_PASSWORD, Channel, Profile, Referral, ReferralEvent, ReferralState, TokenPurpose, User
from referralhub.security import network_of
from referralhub.services.accounts import credentials, erasure, passwords, sign_ins, signup, tokens
from referralhub.services.fraud.assessment import LIKELY
from referralhub.services.fraud.signals import FormTiming, RequestOrigin
from referralhub.services.links import visits
from referralhub.services.referrals.attribution import FollowedLink
from referralhub.words.referrals import FORMER_MEMBER
from tests.fraud_corpus.people import Device
from tests.fraud_corpus.stories import SEED, Erase, Join, SignIn, Story, all_stories
from tests.pages import Visitor

BEGIN = datetime(2026, 3, 2, tzinfo=UTC)  # stories begin in the hours after, each at its own
FRAMES = (
    {"Sec-Fetch-Dest": "iframe", "Sec-Fetch-Mode": "navigate"},
    {"Sec-Fetch-Dest": "image", "Sec-Fetch-Mode": "no-cors"},
    {"Sec-Fetch-Dest": "empty", "Sec-Fetch-Mode": "cors"},
    {"Sec-Fetch-Dest": "object", "Sec-Fetch-Mode": "navigate"},
    {"Sec-Fetch-Dest": "script", "Sec-Fetch-Mode": "no-cors"},
)
COLUMNS = ("confirmed", "held", "likely fraud", "not attributed")


@dataclass
class Result:
    """The table, with what is behind it."""

    attacks: dict[str, Counter[str]]
    honest: dict[str, Counter[str]]
    seconds: dict[str, list[float]]  # that each verification took, by kind of story
    why: list[str]  # of each honest signup that was held, and each attack that was not

    def total(self, *, attack: bool) -> Counter[str]:
        rows = self.attacks if attack else self.honest
        return sum(rows.values(), Counter())

    def table(self) -> str:
        """Write the confusion table."""
        lines = [f"{'':34}" + "".join(f"{column:>16}" for column in COLUMNS)]
        for title, rows in (("ATTACKS", self.attacks), ("HONEST", self.honest)):
            total = sum(rows.values(), Counter())
            lines.append(_line(f"{title} ({total.total()})", total))
            lines += [_line(f"  {kind}", row) for kind, row in rows.items()]
        return "\n".join(lines)


def play(app: Flask, most_friends: int = 600, seed: int = SEED) -> Result:
    """Tell all stories to one application with an empty database."""
    attacks: dict[str, Counter[str]] = {}
    honest: dict[str, Counter[str]] = {}
    result = Result(attacks, honest, {}, [])
    usual_clock = app.config["CLOCK"]
    with mock.patch.object(passwords, "hash_password", lambda _: NO_PASSWORD):
        for story in all_stories(most_friends, seed):
            with app.app_context():
                row = _Stage(app, result, story.kind).play(story)
            rows = attacks if story.attack else honest
            rows[story.kind] = rows.get(story.kind, Counter()) + row
        app.config["CLOCK"] = usual_clock
        attacks["hidden frames"] = _hidden_frames(app)
    return result


class _Stage:
    """One story on its way: cookie jars, codes, and what is still to come."""

    def __init__(self, app: Flask, result: Result, kind: str) -> None:
        self.app = app
        self.redis = app.extensions["redis"]
        self.result = result
        self.seconds = result.seconds.setdefault(kind, [])
        self.jars: dict[int, list[int]] = {}
        self.users: dict[str, tuple[int, int, str]] = {}  # by name: user, profile, code
        self.booked = BEGIN

    def play(self, story: Story) -> Counter[str]:
        begin = BEGIN + timedelta(days=30, hours=7 + len(story.steps) % 9)
        events = [(step.minute, index, step) for index, step in enumerate(story.steps)]
        mails = [
            (step.minute + step.read_after, index, step.who.username)
            for index, step in enumerate(story.steps)
            if isinstance(step, Join) and (step.judged or step.confirms)
        ]
        for minute, _, event in sorted([*events, *mails], key=lambda event: event[:2]):
            now = begin + timedelta(minutes=minute)
            if isinstance(event, Join):
                self.join(event, now)
            elif isinstance(event, SignIn):
                self.sign_in(event.username, event.device, now)
            elif isinstance(event, Erase):
                erasure.erase(self.users[event.username][0], FORMER_MEMBER, now)
            else:
                self.read_mail(event, now)
        judged = [step.who.username for step in story.steps if isinstance(step, Join) and step.judged]
        outcomes = {name: self.outcome(name) for name in judged}
        self.result.why += [
            f"{story.kind}: {name} is {outcome}, {self.findings(name)}"
            for name, outcome in outcomes.items()
            if (outcome == "confirmed") == story.attack
        ]
        return Counter(outcomes.values())

    def join(self, step: Join, now: datetime) -> None:
        jar = self.jars.setdefault(step.device.jar, [])
        link = None
        if step.by:
            _, _, code = self.users[step.by]
            opened = now - timedelta(seconds=step.seconds)
            channel = Channel.CODE if step.code else Channel.LINK
            link = FollowedLink(code, channel, now if step.code else opened)
            for _ in range(step.looks + (not step.code)):
                visits.count(self.redis, code, Channel.LINK, "visitors", opened)
        origin = _origin(step.device)
        timing = FormTiming(origin, step.seconds, step.trapped, tuple(jar))
        who = step.who
        user = signup.sign_up(who.username, who.address, "tea and cakes", link, now, form_timing=timing)
        self.users[who.username] = (user.id, user.profile.id, user.profile.code)
        if not step.extra:
            self.sign_in(who.username, step.device, now)

    def sign_in(self, username: str, device: Device, now: datetime) -> None:
        user_id, profile_id, _ = self.users[username]
        user = db.session.get_one(User, user_id)
        sign_ins.begin(user, "A browser", _origin(device), now)
        jar = self.jars.setdefault(device.jar, [])
        jar[:] = [*(each for each in jar if each != profile_id), profile_id][-10:]

    def read_mail(self, username: str, now: datetime) -> None:
        if now - self.booked >= timedelta(minutes=1):
            visits.book_all(self.redis, now)
            self.booked = now
        user = db.session.get_one(User, self.users[username][0])
        with transaction() as session:
            token = tokens.issue(session, TokenPurpose.VERIFY_ADDRESS, user.id, user.email, now)
        started = perf_counter()
        credentials.verify_address(token, now)
        self.seconds.append(perf_counter() - started)

    def referral(self, username: str) -> Referral:
        return db.session.scalars(select(Referral).where(Referral.friend_id == self.users[username][1])).one()

    def outcome(self, username: str) -> str:
        referral = self.referral(username)
        if referral.state is ReferralState.HELD:
            return "likely fraud" if referral.score is not None and referral.score >= LIKELY else "held"
        return referral.state.value

    def findings(self, username: str) -> dict[str, int]:
        query = select(ReferralEvent.evidence).where(ReferralEvent.referral_id == self.referral(username).id)
        evidence = db.session.scalars(query.order_by(ReferralEvent.id.desc())).first()
        return {finding["rule"]: finding["points"] for finding in evidence["assessment"]["findings"]}


def _origin(device: Device) -> RequestOrigin:
    return RequestOrigin(network_of(device.network), device.agent)


def _hidden_frames(app: Flask) -> Counter[str]:
    """Victims whose browser opens a link that they do not see; then they join by themselves."""
    with app.app_context():
        code = signup.sign_up("framer", "framer@gmail.com", "tea and cakes", None, app.config["CLOCK"]()).profile.code
    outcomes: Counter[str] = Counter()
    for number in range(20):
        name = f"victim-{number}"
        victim = Visitor(app, REMOTE_ADDR=f"198.51.100.{number + 1}")
        victim.get(f"/{code}/", headers=FRAMES[number % len(FRAMES)])
        form = victim.get("/signup").form("/signup")
        values = {"username": name, "email": f"{name}@gmail.com"}
        victim.submit(form, **values, password="tea and cakes", password_confirm="tea and cakes")
        with app.app_context():
            profile = db.session.scalars(select(Profile).join(User).where(User.username == name)).one()
            outcomes["not attributed" if profile.referred_by_id is None else "confirmed"] += 1
    return outcomes


def _line(title: str, row: Counter[str]) -> str:
    return f"{title:34}" + "".join(f"{row[column] or '–':>16}" for column in COLUMNS)
