"""Asking a provider who somebody is: OpenID Connect Core 1.0, the code flow with PKCE, by Authlib.

What the provider says of itself and its keys are read anew for each sign-in: admins are few, and a key that was changed
works at once. Nothing of the libraries is loaded before the first who signs in so.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Any, NamedTuple

from referralhub.config import Settings
from referralhub.openid_settings import WELL_KNOWN
from referralhub.services.accounts.identities import Vouched
from referralhub.services.shared.errors import TooManyAtOnce

if TYPE_CHECKING:
    from authlib.integrations.requests_client import OAuth2Session

TIMEOUT = 3  # seconds without a word of the provider
CLOCKS_DIFFER = timedelta(minutes=1)  # the provider's and ours, at most
RETRY_AFTER = 10  # seconds
SCOPE = "openid email"
# That is, those which nobody can sign with who has our secret or none (RFC 8725, 3.1).
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")

_room = BoundedSemaphore(1)  # of the threads of a process one may wait for the provider


class ProviderAway(Exception):
    """The provider does not answer, or says nothing that can be used. The message has no value of anybody's."""


class NotVouched(Exception):
    """The provider's answer is not to be believed, or it vouches for nobody. The message has no value of anybody's."""


class Question(NamedTuple):
    """Where to send somebody, and what their answer will be known by. All but the address stays in their session."""

    url: str
    state: str
    nonce: str
    verifier: str


def ask(settings: Settings, redirect_uri: str, afresh: bool) -> Question:
    """Prepare the question; `afresh` has the provider ask for a password again.

    Raises ProviderAway, NotVouched or TooManyAtOnce.
    """
    from authlib.common.security import generate_token  # noqa: PLC0415 - see above

    nonce, verifier = generate_token(32), generate_token(64)
    again = {"prompt": "login", "max_age": "0"} if afresh else {}
    with _client(settings, redirect_uri) as (client, provider):
        endpoint = provider["authorization_endpoint"]
        url, state = client.create_authorization_url(endpoint, nonce=nonce, code_verifier=verifier, **again)
    return Question(url, state, nonce, verifier)


def answer(
    settings: Settings, redirect_uri: str, code: str, nonce: str, verifier: str, now: datetime
) -> tuple[Vouched, datetime | None]:
    """Turn in the code; return whom the provider vouches for, and when they last proved it there, if it says so.

    Raises NotVouched, ProviderAway or TooManyAtOnce.
    """
    with _client(settings, redirect_uri) as (client, provider):
        token = client.fetch_token(
            provider["token_endpoint"], code=code, code_verifier=verifier, grant_type="authorization_code"
        )
        keys = _read(client, provider["jwks_uri"])
        claims = _believed(settings, provider["issuer"], token, keys, nonce, now)
        if "email" not in claims and "userinfo_endpoint" in provider:
            more = _read(client, provider["userinfo_endpoint"], withhold_token=False)
            claims = {**more, **claims} if more.get("sub") == claims["sub"] else claims  # Core 1.0, 5.3.2
    proved = claims.get("auth_time")
    vouched = Vouched(
        issuer=provider["issuer"],
        subject=str(claims["sub"]),
        address=str(claims.get("email", "")),
        address_verified=claims.get("email_verified") in (True, "true"),  # some say it as a text
        hosted_domain=str(claims.get("hd", "")),
    )
    return vouched, datetime.fromtimestamp(proved, now.tzinfo) if proved else None


def check(settings: Settings) -> None:
    """Read what the provider says of itself and its keys. Raises ProviderAway, NotVouched or TooManyAtOnce."""
    with _client(settings, "") as (client, provider):
        _read(client, provider["jwks_uri"])


def _believed(
    settings: Settings, issuer: str, token: dict[str, Any], keys: Any, nonce: str, now: datetime
) -> dict[str, Any]:
    from authlib.oidc.core import CodeIDToken  # noqa: PLC0415 - see above
    from joserfc import jwt  # noqa: PLC0415 - as above
    from joserfc.jwk import KeySet  # noqa: PLC0415 - as above

    decoded = jwt.decode(token["id_token"], KeySet.import_key_set(keys), algorithms=ALGORITHMS)
    must_be = {"iss": issuer, "aud": settings.oidc_client_id}
    claims = CodeIDToken(
        decoded.claims,
        decoded.header,
        {name: {"essential": True, "value": value} for name, value in must_be.items()},
        {"nonce": nonce, "client_id": settings.oidc_client_id, "access_token": token.get("access_token")},
    )
    claims.validate(now=int(now.timestamp()), leeway=int(CLOCKS_DIFFER.total_seconds()))
    return dict(claims)


@contextmanager
def _client(settings: Settings, redirect_uri: str) -> "Iterator[tuple[OAuth2Session, dict[str, Any]]]":
    """Give a client that knows what the provider says of itself; what goes wrong with it is said by our two errors."""
    from authlib.common.errors import AuthlibBaseError  # noqa: PLC0415 - see above
    from authlib.integrations.requests_client import OAuth2Session  # noqa: PLC0415 - as above
    from joserfc.errors import JoseError  # noqa: PLC0415 - as above
    from requests import RequestException  # noqa: PLC0415 - as above

    if not _room.acquire(blocking=False):
        raise TooManyAtOnce
    try:
        with OAuth2Session(
            settings.oidc_client_id, settings.oidc_client_secret, scope=SCOPE, redirect_uri=redirect_uri,
            code_challenge_method="S256", default_timeout=TIMEOUT,
        ) as client:  # fmt: skip
            provider = _described(settings.oidc_discovery_url, _read(client, settings.oidc_discovery_url))
            methods = provider.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
            if "client_secret_basic" not in methods:
                client.token_endpoint_auth_method = "client_secret_post"  # noqa: S105 - the name of a way
            yield client, provider
    except (AuthlibBaseError, JoseError) as error:
        raise NotVouched(type(error).__name__) from None
    except RequestException as error:
        raise ProviderAway(type(error).__name__) from None
    except (KeyError, TypeError, ValueError) as error:  # JSON of another form, or none
        raise NotVouched(type(error).__name__) from None
    finally:
        _room.release()


def _described(address: str, provider: dict[str, Any]) -> dict[str, Any]:
    """Return what a provider says of itself, if it is about itself (OpenID Connect Discovery 1.0, 4.3)."""
    issuer, secure = provider.get("issuer"), address.startswith("https://")
    if not isinstance(issuer, str) or issuer.rstrip("/") + WELL_KNOWN != address:
        raise ProviderAway("the issuer is not that of the address")
    if not all(str(provider.get(each, "")).startswith("https://" if secure else "http") for each in ENDPOINTS):
        raise ProviderAway("an address of its own is missing or unencrypted")
    return provider


def _read(client: "OAuth2Session", url: str, withhold_token: bool = True) -> dict[str, Any]:
    """Fetch a JSON object."""
    response = client.get(url, withhold_token=withhold_token)
    response.raise_for_status()
    found = response.json()
    if not isinstance(found, dict):
        raise ProviderAway("no JSON object")
    return found
