"""Settings: read once from the environment, checked, then frozen."""

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

from referralhub import embedded, openid_settings, public_address
from referralhub.secret_key import kept_key

PROJECT = Path(__file__).resolve().parent.parent
DEMO_MEMBER, DEMO_ADMIN, DEMO_PASSWORD = "mira", "admin", "try-ReferralHub"  # of `seed demo`; printed for everyone
DATABASES = ("sqlite", "postgresql", "postgres", "postgresql+psycopg")
REDISES = ("redis", "rediss", "unix", "sentinel")
SHORTEST_TOKEN = 16  # characters
LOG_FORMATS, LOG_LEVELS = ("json", "text"), ("debug", "info", "warning", "error")
SWITCHES = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}
A_FOLDER = "name a folder that this user can write to"
A_FRESH_ONE = "let python -c 'import secrets; print(secrets.token_hex(32))' make one"
SESSION_DAYS = 30  # as long as the attribution window: a remembered link must outlive it


class Problem(NamedTuple):
    """One setting that is missing or unusable: its name, what is wrong with it, and what to do about that."""

    setting: str
    wrong: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.setting} {self.wrong}: {self.remedy}"


class ConfigurationError(Exception):
    """One or more settings are missing or unusable; the message names each of them."""


@dataclass(frozen=True)
class Settings:
    """What can be set from outside; the names are those of the environment variables, in lower case."""

    referralhub_env: str
    instance_path: Path
    secret_key: str
    database_url: str
    redis_url: str
    base_url: str
    mail_url: str
    trusted_proxies: int = 0
    ratelimit_enabled: bool = True
    require_email_verification: bool = True
    require_admin_two_factor: bool = False
    oidc_discovery_url: str = ""  # empty: no provider signs admins in
    oidc_client_id: str = ""
    oidc_client_secret: str = ""
    oidc_domain: str = ""  # of the addresses that it is believed for
    signup_limit: str = "5 per minute; 5 per hour"
    web_threads: int = 4  # of a web process, as the Procfile starts it
    metrics_token: str = ""  # empty: nobody may read the figures
    log_format: str = "json"
    log_level: str = "info"
    otel_exporter_otlp_endpoint: str = ""  # empty: no traces; its library reads it, and its siblings, by itself
    sentry_dsn: str = ""  # empty: errors are told to nobody else
    webhook_private_addresses: bool = False  # whether webhooks go to private addresses too, and by plain http
    debug_toolbar: bool = False  # in development: Flask-DebugToolbar on each page
    database_chosen: bool = True  # whether somebody set DATABASE_URL
    test_program: bool = False  # whether this is what test keys write to, beside the real one; not set from outside

    @property
    def development(self) -> bool:
        """Whether this is somebody's own machine rather than a public server."""
        return self.referralhub_env == "development"

    @property
    def base_path(self) -> str:
        """The path of the site that everything is below, such as "/refer"; "" where the site is all ours."""
        return urlsplit(self.base_url).path

    @property
    def cookie_name(self) -> str:
        """What the session's cookie is called: no other host, and no plain http, can set one that begins so."""
        https = urlsplit(self.base_url).scheme == "https"
        name = "referralhub-test" if self.test_program else "referralhub"  # a browser sends both where one is below
        return f"{('__Secure-' if self.base_path else '__Host-') if https else ''}{name}"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Read and check every setting.

        Raises ConfigurationError that lists all that is wrong, so that an operator can put it right in one go.
        """
        settings, problems = cls.read(environ)
        if problems:
            raise ConfigurationError("\n".join(str(problem) for problem in problems))
        return settings

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> tuple["Settings", list[Problem]]:
        """Read every setting, with a default in place of what makes no sense, and list all that is wrong."""
        reader = _Reader(environ)
        env = reader.text("REFERRALHUB_ENV", "production")
        if env not in {"development", "production"}:
            reader.refuse("REFERRALHUB_ENV", f"is {env!r}", "it must be development or production")
        development = env == "development"
        instance = reader.folder("INSTANCE_PATH", PROJECT / "instance")
        settings = cls(
            referralhub_env=env,
            instance_path=instance,
            secret_key=reader.secret_key(instance if development else None),
            database_url=_sqlalchemy_url(reader.url("DATABASE_URL", DATABASES, ""), instance),
            redis_url=reader.redis_url(f"unix://{embedded.socket_path(instance)}"),
            base_url=reader.base_url(development),
            mail_url=reader.mail_url(development),
            trusted_proxies=reader.number("TRUSTED_PROXIES", cls.trusted_proxies, 0),
            ratelimit_enabled=reader.boolean("RATELIMIT_ENABLED"),
            require_email_verification=reader.boolean("REQUIRE_EMAIL_VERIFICATION"),
            require_admin_two_factor=reader.boolean("REQUIRE_ADMIN_TWO_FACTOR", cls.require_admin_two_factor),
            **reader.provider(development),
            signup_limit=reader.limit("SIGNUP_LIMIT", cls.signup_limit),
            web_threads=reader.number("WEB_THREADS", cls.web_threads, 1),
            metrics_token=reader.token("METRICS_TOKEN"),
            log_format=reader.choice("LOG_FORMAT", LOG_FORMATS, log_format(environ)),
            log_level=reader.choice("LOG_LEVEL", LOG_LEVELS, cls.log_level),
            otel_exporter_otlp_endpoint=reader.needing("OTEL_EXPORTER_OTLP_ENDPOINT", "otel", "opentelemetry"),
            sentry_dsn=reader.needing("SENTRY_DSN", "sentry", "sentry_sdk"),
            webhook_private_addresses=reader.boolean("WEBHOOK_PRIVATE_ADDRESSES", cls.webhook_private_addresses),
            debug_toolbar=reader.boolean("DEBUG_TOOLBAR", cls.debug_toolbar),
            database_chosen=bool(environ.get("DATABASE_URL")),
            test_program=False,
        )
        if not settings.ratelimit_enabled and not development:
            reader.refuse("RATELIMIT_ENABLED", "is false", "that is for development only")
        if settings.debug_toolbar and not development:
            reader.refuse("DEBUG_TOOLBAR", "is true", "that is for development only")
        elif settings.debug_toolbar and find_spec("flask_debugtoolbar") is None:
            reader.refuse("DEBUG_TOOLBAR", "is true, and Flask-DebugToolbar is not installed", "run make .venv/dev")
        return settings, reader.problems

    def flask_config(self) -> dict[str, object]:
        """The same settings under the names that Flask and its extensions read."""
        secure = urlsplit(self.base_url).scheme == "https"
        return {
            "SECRET_KEY": self.secret_key,
            "SQLALCHEMY_DATABASE_URI": self.database_url,
            "SESSION_COOKIE_NAME": self.cookie_name,
            "SESSION_COOKIE_SECURE": secure,
            "SESSION_COOKIE_HTTPONLY": True,
            "SESSION_COOKIE_SAMESITE": "Lax",
            "SESSION_REFRESH_EACH_REQUEST": False,
            "PERMANENT_SESSION_LIFETIME": SESSION_DAYS * 24 * 3600,
            "WTF_CSRF_TIME_LIMIT": None,  # the token lives as long as its session
            "WTF_CSRF_SSL_STRICT": False,  # which page a form was on is looked at in `security`
            "RATELIMIT_ENABLED": self.ratelimit_enabled,
            "RATELIMIT_IN_MEMORY_FALLBACK_ENABLED": True,
            "RATELIMIT_SWALLOW_ERRORS": True,  # of counting what is done; what is to be done is counted in memory then
            "RATELIMIT_HEADERS_ENABLED": True,
            "RATELIMIT_HEADER_RETRY_AFTER": "RateLimit-Reset",  # Retry-After says when a service is back, not a limit
            "MAX_CONTENT_LENGTH": 1024 * 1024,
            "MAX_FORM_MEMORY_SIZE": 256 * 1024,
        }


class _Reader:
    """Reads settings by their kind and keeps a list of what is wrong; refused values are not shown where secret."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.problems: list[Problem] = []

    def refuse(self, setting: str, wrong: str, remedy: str) -> None:
        self.problems.append(Problem(setting, wrong, remedy))

    def text(self, name: str, default: str) -> str:
        return self.environ.get(name, default)

    def boolean(self, name: str, default: bool = True) -> bool:
        value = self.text(name, str(default)).strip().lower()
        if value not in SWITCHES:
            self.refuse(name, f"is {value!r}", "it must be true or false")
            return True
        return SWITCHES[value]

    def provider(self, development: bool) -> dict[str, str]:
        """Read whom admins may sign in with: all of it or nothing."""
        values = {name: self.text(name, "").strip() for name in openid_settings.NAMES}
        self.problems.extend(Problem(*found) for found in openid_settings.problems(values, development))
        return {name.lower(): value for name, value in values.items()}

    def choice(self, name: str, choices: Collection[str], default: str) -> str:
        value = (self.environ.get(name) or default).lower()
        if value not in choices:
            self.refuse(name, f"is {value!r}", f"it must be one of {', '.join(choices)}")
            return next(iter(choices))
        return value

    def needing(self, name: str, extra: str, module: str) -> str:
        """Read what only makes sense with libraries that not everybody installs."""
        value = self.text(name, "")
        if value and find_spec(module) is None:
            install = f"uv pip install --requirements pyproject.toml --extra {extra}"
            self.refuse(name, f"is set, and what it needs is not installed (referralhub[{extra}])", f"run {install}")
        return value

    def number(self, name: str, default: int, least: int) -> int:
        value = self.environ.get(name) or str(default)
        if not value.isdecimal() or int(value) < least:
            self.refuse(name, f"is {value!r}", f"it must be a whole number from {least}")
            return default
        return int(value)

    def limit(self, name: str, default: str) -> str:
        value = self.environ.get(name) or default
        if value != default and not _is_limit(value):
            self.refuse(name, f"is {value!r}", f"it must be like {default!r}")
            return default
        return value

    def folder(self, name: str, default: Path) -> Path:
        folder = Path(self.environ.get(name) or default).resolve()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            self.refuse(name, f"cannot be used ({error.strerror})", A_FOLDER)
        return folder

    def secret_key(self, keep_in: Path | None) -> str:
        value = self.text("SECRET_KEY", "")
        if not value and keep_in is not None:
            try:
                return kept_key(keep_in / "secret_key")
            except OSError as error:
                self.refuse("INSTANCE_PATH", f"cannot be written ({error.strerror})", A_FOLDER)
                return value
        if not value:
            self.refuse("SECRET_KEY", "is missing", A_FRESH_ONE)
        elif len(value.encode()) < 32 or len(set(value)) < 8:
            self.refuse("SECRET_KEY", "is weak", f"it needs at least 32 random bytes; {A_FRESH_ONE}")
        return value

    def token(self, name: str) -> str:
        value = self.text(name, "")
        if value and len(value) < SHORTEST_TOKEN:
            self.refuse(name, "is weak", f"it needs at least {SHORTEST_TOKEN} characters; {A_FRESH_ONE}")
        return value

    def base_url(self, development: bool) -> str:
        value = self.text("BASE_URL", "").strip()
        if not value and development:
            host = self.text("HOST", "127.0.0.1")
            value = f"http://{f'[{host}]' if ':' in host else host}:{self.text('PORT', '8000')}"
        if wrong := _wrong_with_public(value):
            example = "https://refer.example.com or https://example.com/refer"
            self.refuse("BASE_URL", wrong, f"set the public address, such as {example}")
        return value.rstrip("/")

    def mail_url(self, development: bool) -> str:
        value = self.text("MAIL_URL", "file:" if development else "")
        if _scheme(value) not in {"smtp", "smtps", "file"}:
            remedy = "set smtp://user:password@host:587?tls=1, smtps://…:465, or file: to only write files"
            self.refuse("MAIL_URL", "is missing or no address of a mail server", remedy)
            return value
        parameters = dict(parse_qsl(urlsplit(value).query, keep_blank_values=True))
        if unknown := sorted(parameters.keys() - {"tls", "from"}):
            self.refuse("MAIL_URL", f"has the parameter {', '.join(unknown)}", "there are tls=1 and from=…")
        if parameters.get("tls", "0").lower() not in SWITCHES:
            self.refuse("MAIL_URL", "does not say clearly whether to encrypt", "tls is 1, for STARTTLS, or 0")
        elif SWITCHES[parameters.get("tls", "0").lower()] and _scheme(value) == "smtps":
            self.refuse(
                "MAIL_URL", "asks for STARTTLS inside of TLS", "take smtps:// without tls=1, or smtp:// with it"
            )
        return value

    def redis_url(self, default: str) -> str:
        value = self.url("REDIS_URL", REDISES, default)
        if value != default and not _is_redis(value):
            remedy = "write it as your provider does; there are ssl_ca_certs=FILE and ssl_cert_reqs=none besides"
            self.refuse("REDIS_URL", "has a number or a parameter that cannot be", remedy)
            return default
        return value

    def url(self, name: str, schemes: tuple[str, ...], default: str) -> str:
        value = self.environ.get(name) or default
        if value and _scheme(value, one_host=False) not in schemes:
            self.refuse(name, "is no address that can be used", f"it begins with {', '.join(schemes)}, then ://")
            return default
        return value


def log_format(environ: Mapping[str, str]) -> str:
    """Return how the log is written: for programs in production, for people in development."""
    development = environ.get("REFERRALHUB_ENV") == "development"
    return environ.get("LOG_FORMAT") or ("text" if development else "json")


def _scheme(url: str, one_host: bool = True) -> str:
    """Return what an address begins with, "" for one that is malformed; a service may have several hosts."""
    try:
        parts = urlsplit(url)
        _ = one_host and parts.port  # raises for what is no number
    except ValueError:
        return ""
    return parts.scheme


def _wrong_with_public(url: str) -> str:
    """Return what is wrong with the address that people are given, "" for one that can be used."""
    return public_address.wrong_with(url) or ("" if _scheme(url) else "has a host or a port that cannot be")


def _is_limit(text: str) -> bool:
    from limits import parse_many  # noqa: PLC0415 - a third of the launcher's start, for a setting that few change

    try:
        return bool(parse_many(text))
    except ValueError:
        return False


def _is_redis(url: str) -> bool:
    from referralhub.redis_client import check  # noqa: PLC0415 - most starts bring their own server

    try:
        check(url)
    except ValueError:
        return False
    return True


def _sqlalchemy_url(url: str, instance: Path) -> str:
    """Make of DATABASE_URL, as hosts and people write it, what SQLAlchemy wants.

    A SQLite file is opened read-write but never created: if it is moved away, SQLite would otherwise put an
    empty one in its place and discard the write-ahead log that still belongs to the real one.
    """
    for scheme in ("postgres://", "postgresql://"):
        if url.startswith(scheme):
            return "postgresql+psycopg://" + url.removeprefix(scheme)
    if not url or (url.startswith("sqlite:///") and not url.startswith("sqlite:///file:")):
        path = instance / (url.removeprefix("sqlite:///") or "referralhub.sqlite3")
        return f"sqlite:///file:{path}?mode=rw&uri=true"
    return url
