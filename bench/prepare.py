"""Members who are signed in, made by the application's own code: members of `seed bulk` have no password to type.

python -m bench.prepare 100     prints the codes and the cookies of so many members who have a friend, as JSON
"""

import json
import sys

from flask import Flask, session
from sqlalchemy import select

from bench.browser import BROWSER, address
from referralhub import create_app
from referralhub.auth.views import sign_in
from referralhub.database import reading
from referralhub.models import Profile, User


def chosen(number: int) -> list[User]:
    """Return members who have a friend, spread over all of them; some more than once where there are too few."""
    ids = reading().scalars(select(Profile.user_id).where(Profile.referral_count > 0).order_by(Profile.id)).all()
    step = max(1, len(ids) // number)
    spread = ids[::step][:number]
    users = {user.id: user for first in range(0, len(spread), 1000) for user in _users(spread[first : first + 1000])}
    return [users[spread[n % len(spread)]] for n in range(number)]


def _users(ids: list[int]) -> list[User]:
    return list(reading().scalars(select(User).where(User.id.in_(ids))))


def cookie_of(app: Flask, user: User, number: int) -> str:
    """Sign a member in as the form does, and return the cookie; `number` says with which of the addresses."""
    headers = {"User-Agent": BROWSER}
    with app.test_request_context("/login", headers=headers, environ_base={"REMOTE_ADDR": address(number)}):
        sign_in(user)
        answer = app.response_class()
        app.session_interface.save_session(app, session, answer)
        return answer.headers["Set-Cookie"].partition(";")[0]


def main() -> None:
    """Print what the benchmarks need."""
    app = create_app()
    with app.app_context():
        members = chosen(int(sys.argv[1]))
        codes = [user.profile.code for user in members]
    cookies = [cookie_of(app, user, number) for number, user in enumerate(members)]
    print(json.dumps({"codes": codes, "cookies": cookies}))


if __name__ == "__main__":
    main()
