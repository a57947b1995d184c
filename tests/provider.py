"""A small OpenID provider on this machine: what it says can be bent, as an attacker would."""

import hmac
import json
import threading
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "referralhub", "a secret between the two"
KEY, FOREIGN_KEY = (RSAKey.generate_key(2048, {"kid": name, "use": "sig"}) for name in ("ours", "another"))


def by_hand(header: dict[str, Any], claims: dict[str, Any], key: bytes | None) -> str:
    """Make a token as no library would; without a key it has no signature."""
    parts = [urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, claims)]
    signature = hmac.digest(key, b".".join(parts), "sha256") if key else b""
    return b".".join([*parts, urlsafe_b64encode(signature).rstrip(b"=")]).decode()


class Provider:
    """Answers discovery, keys and tokens; `authorize` is what its sign-in page does. Use as a context manager."""

    def __init__(self, clock: Callable[[], Any], host: str = "127.0.0.1") -> None:
        self.clock = clock
        self.claims: dict[str, Any] = {}  # over those that are right
        self.metadata: dict[str, Any] = {}
        self.userinfo: dict[str, Any] | None = None
        self.sign: Callable[[dict[str, Any]], str] = self.signed
        self.codes: dict[str, dict[str, str]] = {}
        self.tokens_asked: list[dict[str, str]] = []
        self.failing: dict[str, tuple[int, bytes]] = {}  # answers by path
        self._server = ThreadingHTTPServer((host, 0), self._handler())
        self.issuer = f"http://{host}:{self._server.server_port}"
        self.discovery_url = f"{self.issuer}/.well-known/openid-configuration"

    def __enter__(self) -> "Provider":
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def settings(self) -> dict[str, str]:
        return {
            "oidc_discovery_url": self.discovery_url,
            "oidc_client_id": CLIENT,
            "oidc_client_secret": SECRET,
            "oidc_domain": "example.com",
        }

    def vouch_for(self, address: str, subject: str = "subject-1", **claims: Any) -> None:
        """Let the next who come be this person."""
        self.claims = {"sub": subject, "email": address, "email_verified": True, **claims}

    def authorize(self, url: str) -> str:
        """Do what its page does once somebody has signed in there: give the address to go back to, with a code."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        code = f"code-{len(self.codes)}"
        self.codes[code] = asked
        return f"{asked['redirect_uri']}?code={code}&state={asked['state']}"

    def signed(self, claims: dict[str, Any]) -> str:
        return jwt.encode({"alg": "RS256", "kid": KEY.kid}, claims, KEY)

    def signed_by_another(self, claims: dict[str, Any]) -> str:
        return jwt.encode({"alg": "RS256", "kid": KEY.kid}, claims, FOREIGN_KEY)

    def signed_with_our_secret(self, claims: dict[str, Any]) -> str:
        return by_hand({"alg": "HS256"}, claims, SECRET.encode())

    def signed_with_the_public_key(self, claims: dict[str, Any]) -> str:
        return by_hand({"alg": "HS256", "kid": KEY.kid}, claims, KEY.as_pem(private=False))

    def unsigned(self, claims: dict[str, Any]) -> str:
        return by_hand({"alg": "none"}, claims, None)

    def _described(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
        } | self.metadata

    def _token(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        self.tokens_asked.append(form)
        asked = self.codes.pop(form.get("code", ""), None)
        client, _, secret = b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        known = (unquote(client), unquote(secret)) in ((CLIENT, SECRET), ("", ""))
        if "client_secret" in form:
            known = (form["client_id"], form["client_secret"]) == (CLIENT, SECRET)
        proved = asked and create_s256_code_challenge(form.get("code_verifier", "")) == asked["code_challenge"]
        if not asked or not known or not proved or form["redirect_uri"] != asked["redirect_uri"]:
            return 400, {"error": "invalid_grant", "error_description": f"not {form.get('code')}"}
        now = int(self.clock().timestamp())
        claims = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"]}
        claims = {name: value for name, value in (claims | self.claims).items() if value is not None}
        return 200, {"access_token": "at", "token_type": "Bearer", "id_token": self.sign(claims)}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path.startswith("/authorize?"):
                    self.send_response(302)
                    self.send_header("Location", provider.authorize(self.path))
                    return self.end_headers()
                answers = {
                    urlsplit(provider.discovery_url).path: provider._described,
                    "/keys": lambda: {"keys": [KEY.as_dict(private=False)]},
                    "/userinfo": lambda: provider.userinfo or {},
                }
                return self._answer(200, answers[self.path]())

            def do_POST(self) -> None:
                sent = self.rfile.read(int(self.headers["Content-Length"])).decode()
                form = {name: values[0] for name, values in parse_qs(sent).items()}
                self._answer(*provider._token(form, self.headers.get("Authorization", "")))

            def _answer(self, status: int, document: dict[str, Any]) -> None:
                status, body = provider.failing.get(self.path, (status, json.dumps(document).encode()))
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler
