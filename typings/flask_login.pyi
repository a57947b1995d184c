"""Types of Flask-Login, which has none: what the web layer uses of it, with the members of this program."""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask

from referralhub.models import SignIn, User

_Function = TypeVar("_Function", bound=Callable[..., Any])

class _SignedIn(User):
    sign_in: SignIn  # whoever is signed in came by one

# Who is not signed in has `is_authenticated`, which is false, and nothing else of a member: to be asked first.
current_user: _SignedIn

class LoginManager:
    def __init__(self, app: Flask | None = None, add_context_processor: bool = True) -> None: ...
    def init_app(self, app: Flask, add_context_processor: bool = True) -> None: ...
    def user_loader(self, callback: Callable[[str], User | None]) -> Callable[[str], User | None]: ...
    def unauthorized_handler(self, callback: _Function) -> _Function: ...

def login_required(func: _Function) -> _Function: ...
def login_user(user: User, remember: bool = False) -> bool: ...
def logout_user() -> bool: ...
