"""Settings: read once from the environment, checked, then frozen."""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from referralhub import embedded

PROJECT = Path(__file__).resolve().parent.parent
DEMO_MEMBER, DEMO_ADMIN, DEMO_PASSWORD = "mira", "admin", "try-ReferralHub"  # of `seed demo`; printed for everyone
SESSION_DAYS = 30  # as long as the attribution window: a remembered link must outlive it


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
    signup_limit: str = "5 per minute; 5 per hour"
    web_threads: int = 4  # of a web process, as the Procfile starts it

    @property
    def development(self) -> bool:
        """Whether this is somebody's own machine rather than a public server."""
        return self.referralhub_env == "development"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Read and check every setting.

        Raises ConfigurationError that lists all that is wrong, so that an operator mends it in one go.
        """
        problems: list[str] = []

        def boolean(name: str) -> bool:
            value = environ.get(name, "true").strip().lower()
            if value not in {"true", "false", "1", "0", "yes", "no"}:
                problems.append(f"{name} must be true or false, not {value!r}")
            return value in {"true", "1", "yes"}

        env = environ.get("REFERRALHUB_ENV", "production")
        if env not in {"development", "production"}:
            problems.append(f"REFERRALHUB_ENV must be development or production, not {env!r}")
        development = env == "development"

        instance = Path(environ.get("INSTANCE_PATH") or PROJECT / "instance").resolve()
        instance.mkdir(parents=True, exist_ok=True)

        secret_key = environ.get("SECRET_KEY", "")
        if not secret_key and development:
            secret_key = _kept_secret(instance / "secret_key")
        if not secret_key:
            problems.append("SECRET_KEY is missing: python -c 'import secrets; print(secrets.token_hex(32))' makes one")
        elif len(secret_key.encode()) < 32 or len(set(secret_key)) < 8:
            problems.append("SECRET_KEY is weak: it needs at least 32 random bytes")

        base_url = environ.get("BASE_URL", "").rstrip("/")
        if not base_url and development:
            base_url = f"http://{environ.get('HOST', '127.0.0.1')}:{environ.get('PORT', '8000')}"
        if urlsplit(base_url).scheme not in {"http", "https"} or not urlsplit(base_url).hostname:
            problems.append("BASE_URL is missing: the public address, such as https://refer.example.com")

        mail_url = environ.get("MAIL_URL", "file:" if development else "")
        if urlsplit(mail_url).scheme not in {"smtp", "file"}:
            problems.append("MAIL_URL is missing: smtp://user:password@host:587?tls=1, or file: to only write files")

        proxies = environ.get("TRUSTED_PROXIES", "0")
        if not proxies.isdigit():
            problems.append(f"TRUSTED_PROXIES must be a whole number, not {proxies!r}")

        ratelimit = boolean("RATELIMIT_ENABLED")
        if not ratelimit and not development:
            problems.append("RATELIMIT_ENABLED=false is for development only")

        verification = boolean("REQUIRE_EMAIL_VERIFICATION")

        signup_limit = environ.get("SIGNUP_LIMIT") or cls.signup_limit
        if signup_limit != cls.signup_limit and not _is_limit(signup_limit):
            problems.append(f"SIGNUP_LIMIT must be like {cls.signup_limit!r}, not {signup_limit!r}")

        threads = environ.get("WEB_THREADS") or str(cls.web_threads)
        if not threads.isdigit() or int(threads) < 1:
            problems.append(f"WEB_THREADS must be a whole number from 1, not {threads!r}")
        if problems:
            raise ConfigurationError("\n".join(problems))
        return cls(
            referralhub_env=env,
            instance_path=instance,
            secret_key=secret_key,
            database_url=_sqlalchemy_url(environ.get("DATABASE_URL", ""), instance),
            redis_url=environ.get("REDIS_URL") or f"unix://{embedded.socket_path(instance)}",
            base_url=base_url,
            mail_url=mail_url,
            trusted_proxies=int(proxies),
            ratelimit_enabled=ratelimit,
            require_email_verification=verification,
            signup_limit=signup_limit,
            web_threads=int(threads),
        )

    def flask_config(self) -> dict[str, object]:
        """The same settings under the names that Flask and its extensions read."""
        secure = urlsplit(self.base_url).scheme == "https"
        return {
            "SECRET_KEY": self.secret_key,
            "SQLALCHEMY_DATABASE_URI": self.database_url,
            "SESSION_COOKIE_SECURE": secure,
            "SESSION_COOKIE_HTTPONLY": True,
            "SESSION_COOKIE_SAMESITE": "Lax",
            "SESSION_REFRESH_EACH_REQUEST": False,
            "PERMANENT_SESSION_LIFETIME": SESSION_DAYS * 24 * 3600,
            "WTF_CSRF_TIME_LIMIT": None,  # the token lives as long as its session
            "RATELIMIT_ENABLED": self.ratelimit_enabled,
            "RATELIMIT_IN_MEMORY_FALLBACK_ENABLED": True,
            "RATELIMIT_HEADERS_ENABLED": True,
            "MAX_CONTENT_LENGTH": 1024 * 1024,
            "MAX_FORM_MEMORY_SIZE": 256 * 1024,
        }


def _kept_secret(file: Path) -> str:
    """Read the secret key that this installation keeps, making it on the first call."""
    if not file.exists():
        fresh = file.with_name(f"{file.name}.{os.getpid()}")
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_hex(32))
        try:
            file.hardlink_to(fresh)  # whoever comes first wins; the others read the winner's key
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return file.read_text().strip()


def _is_limit(text: str) -> bool:
    from limits import parse_many  # noqa: PLC0415 - a third of the launcher's start, for a setting that few change

    try:
        return bool(parse_many(text))
    except ValueError:
        return False


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
