"""Settings: what is missing is named, all of it at once, and development needs nothing."""

import stat
from pathlib import Path
from typing import ClassVar

import pytest

from referralhub.config import ConfigurationError, Settings

STRONG = "0123456789abcdef" * 4


@pytest.fixture
def production(tmp_path: Path) -> dict[str, str]:
    """An environment that is enough for a public server."""
    return {
        "INSTANCE_PATH": str(tmp_path),
        "SECRET_KEY": STRONG,
        "BASE_URL": "https://refer.example.com",
        "MAIL_URL": "smtp://mail.example.com",
    }


@pytest.fixture
def development(tmp_path: Path) -> dict[str, str]:
    return {"INSTANCE_PATH": str(tmp_path), "REFERRALHUB_ENV": "development"}


def test_a_complete_environment_is_accepted(production: dict[str, str]):
    settings = Settings.from_environment(production)
    assert settings.referralhub_env == "production"
    assert not settings.development
    assert settings.require_email_verification
    assert settings.ratelimit_enabled
    assert settings.trusted_proxies == 0
    assert settings.signup_limit == "5 per minute; 5 per hour"


def test_the_log_is_for_programs_in_production_and_for_people_in_development(production, development):
    assert [Settings.from_environment(each).log_format for each in (production, development)] == ["json", "text"]
    chosen = Settings.from_environment(production | {"LOG_FORMAT": "text", "LOG_LEVEL": "DEBUG"})
    assert (chosen.log_format, chosen.log_level) == ("text", "debug")


def test_the_debug_toolbar_is_for_development_where_it_is_installed(
    production, development, monkeypatch: pytest.MonkeyPatch
):
    wanted = {"DEBUG_TOOLBAR": "true"}
    assert not Settings.from_environment(development).debug_toolbar
    assert Settings.from_environment(development | wanted).debug_toolbar
    with pytest.raises(ConfigurationError, match="DEBUG_TOOLBAR is true: that is for development only"):
        Settings.from_environment(production | wanted)
    monkeypatch.setattr("referralhub.config.find_spec", lambda asked: None)
    with pytest.raises(ConfigurationError, match=r"DEBUG_TOOLBAR .*not installed: run make \.venv/dev"):
        Settings.from_environment(development | wanted)


@pytest.mark.parametrize(
    ("name", "module", "extra"),
    [("OTEL_EXPORTER_OTLP_ENDPOINT", "opentelemetry", "otel"), ("SENTRY_DSN", "sentry_sdk", "sentry")],
)
def test_what_is_set_and_not_installed_is_refused_with_what_to_install(
    production, monkeypatch: pytest.MonkeyPatch, name: str, module: str, extra: str
):
    environment = production | {name: "https://hunter2@elsewhere.example/1"}
    Settings.from_environment(environment)
    monkeypatch.setattr("referralhub.config.find_spec", lambda asked: None if asked == module else ...)
    with pytest.raises(ConfigurationError, match=rf"{name} .*referralhub\[{extra}\].*--extra {extra}") as refusal:
        Settings.from_environment(environment)
    assert "hunter2" not in str(refusal.value)
    Settings.from_environment(production)


@pytest.mark.parametrize("name", ["SECRET_KEY", "BASE_URL", "MAIL_URL"])
@pytest.mark.parametrize("value", [None, ""])
def test_production_refuses_to_start_without(production: dict[str, str], name: str, value: str | None):
    production.pop(name)
    if value is not None:
        production[name] = value
    with pytest.raises(ConfigurationError, match=name) as refusal:
        Settings.from_environment(production)
    assert len(str(refusal.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", "changeme"),
        ("SECRET_KEY", "a" * 64),
        ("SECRET_KEY", STRONG[:31]),
        ("BASE_URL", "refer.example.com"),
        ("BASE_URL", "ftp://refer.example.com"),
        ("BASE_URL", "https://"),
        ("MAIL_URL", "mail.example.com"),
        ("TRUSTED_PROXIES", "many"),
        ("TRUSTED_PROXIES", "-1"),
        ("RATELIMIT_ENABLED", "false"),
        ("RATELIMIT_ENABLED", "perhaps"),
        ("REQUIRE_EMAIL_VERIFICATION", "perhaps"),
        ("REQUIRE_ADMIN_TWO_FACTOR", "perhaps"),
        ("REFERRALHUB_ENV", "staging"),
        ("SIGNUP_LIMIT", "many"),
        ("SIGNUP_LIMIT", "5 per fortnight"),
        ("SIGNUP_LIMIT", "-1 per minute"),
        ("WEB_THREADS", "many"),
        ("WEB_THREADS", "0"),
        ("METRICS_TOKEN", "fifteen letters"),
        ("LOG_FORMAT", "xml"),
        ("LOG_LEVEL", "loud"),
        ("DATABASE_URL", "mysql://db.example.com/hub"),
        ("DATABASE_URL", "hub.db"),
        ("REDIS_URL", "http://cache.example.com"),
        ("REDIS_URL", "redis://cache.example.com?ssl_cert_reqs=none"),
        ("REDIS_URL", "rediss://cache.example.com?ssl_cert_reqs=no"),
        ("REDIS_URL", "rediss://cache.example.com?ssl_ca_certs=/nothing/here.pem"),
        ("REDIS_URL", "rediss://cache.example.com?sslcertreqs=none"),
        ("REDIS_URL", "redis://cache.example.com?db=first"),
        ("REDIS_URL", "sentinel://one.example.com:many/main"),
        ("REDIS_URL", "sentinel://one.example.com/main/first"),
        ("MAIL_URL", "smtp://mail.example.com:many"),
        ("MAIL_URL", "smtp://mail.example.com?tls=on"),
        ("MAIL_URL", "smtp://mail.example.com?tls="),
        ("MAIL_URL", "smtp://mail.example.com?ssl=1"),
        ("MAIL_URL", "smtps://mail.example.com?tls=1"),
        ("MAIL_URL", "imap://mail.example.com"),
        ("BASE_URL", "https://refer.example.com:many"),
        ("INSTANCE_PATH", "/dev/null/instance"),
    ],
)
def test_production_refuses_what_is_weak_or_makes_no_sense(production: dict[str, str], name: str, value: str):
    with pytest.raises(ConfigurationError, match=name):
        Settings.from_environment(production | {name: value})


@pytest.mark.parametrize(
    ("address", "wrong"),
    [
        ("  ", "is missing"),
        ("refer.example.com", "does not begin with https://"),
        ("localhost:8000", "does not begin with https://"),
        ("https://", "names no host"),
        ("https:///refer", "names no host"),
        ("https://:8000", "names no host"),
        ("https://refer example.com", "names no host"),
        ("https://refer.example.com:many", "has a host or a port that cannot be"),
        ("https://refer.example.com:99999", "has a host or a port that cannot be"),
        ("https://[::1", "has a host or a port that cannot be"),
        ("https://hub:hunter2@refer.example.com", "has a user name in it"),
        ("https://refer.example.com/?utm=1", "has a ? or a # in it"),
        ("https://refer.example.com/#top", "has a ? or a # in it"),
        ("https://example.com//refer", "has a path with more in it"),
        ("https://example.com/refer/../x", "has a path with more in it"),
        ("https://example.com/für-dich", "has a path with more in it"),
        ("https://example.com/refer%20it", "has a path with more in it"),
        ("https://example.com/admin", "has a path that begins as pages of ours do"),
        ("https://example.com/account/refer/", "has a path that begins as pages of ours do"),
    ],
)
def test_it_is_said_what_is_wrong_with_the_public_address(production: dict[str, str], address: str, wrong: str):
    with pytest.raises(ConfigurationError, match="BASE_URL") as refusal:
        Settings.from_environment(production | {"BASE_URL": address})
    assert wrong in str(refusal.value)
    assert "such as https://refer.example.com or https://example.com/refer" in str(refusal.value)
    assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("https://refer.example.com", ""),
        (" https://refer.example.com/\n", ""),
        ("https://example.com/refer", "/refer"),
        ("https://example.com/refer/", "/refer"),
        ("http://[::1]:8000/~bo/refer-a.friend_2//", "/~bo/refer-a.friend_2"),
        ("HTTPS://example.com/Admins", "/Admins"),
    ],
)
def test_the_public_address_can_have_a_path(production: dict[str, str], address: str, path: str):
    settings = Settings.from_environment(production | {"BASE_URL": address})
    assert settings.base_path == path
    assert settings.base_url == address.strip().rstrip("/")
    assert settings.flask_config()["SESSION_COOKIE_SECURE"] == (not address.startswith("http:"))


def test_everything_that_is_wrong_is_named_at_once(tmp_path: Path):
    with pytest.raises(ConfigurationError) as refusal:
        Settings.from_environment({"INSTANCE_PATH": str(tmp_path), "TRUSTED_PROXIES": "x"})
    for name in ("SECRET_KEY", "BASE_URL", "MAIL_URL", "TRUSTED_PROXIES"):
        assert name in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", "hunter2"),
        ("METRICS_TOKEN", "hunter2"),
        ("DATABASE_URL", "mysql://hub:hunter2@db.example.com/hub"),
        ("REDIS_URL", "http://:hunter2@cache.example.com"),
        ("REDIS_URL", "rediss://:hunter2@cache.example.com?ssl_cert_reqs=no"),
        ("MAIL_URL", "smtp://hub:hunter2@mail.example.com?tls=maybe"),
        ("MAIL_URL", "http://hub:hunter2@mail.example.com"),
    ],
)
def test_a_refusal_does_not_show_the_secret(production: dict[str, str], name: str, value: str):
    with pytest.raises(ConfigurationError, match=name) as refusal:
        Settings.from_environment(production | {name: value})
    assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize(
    "url",
    [
        "redis://cache.example.com/1", "rediss://:password@cache.example.com", "unix:///run/valkey.sock",
        "rediss://:password@cache.example.com:6380/0?ssl_cert_reqs=none", "unix:///run/valkey.sock?db=1",
        f"rediss://:password@cache.example.com?ssl_ca_certs={__file__}",
        "sentinel://one.example.com:26379,two.example.com:26379/main/0",
    ],
)  # fmt: skip
def test_redis_urls_that_can_be_used(production: dict[str, str], url: str):
    assert Settings.from_environment(production | {"REDIS_URL": url}).redis_url == url


def test_what_is_wrong_has_a_default_in_its_place_for_whoever_examines_it(tmp_path: Path):
    environment = {"INSTANCE_PATH": str(tmp_path), "DATABASE_URL": "hub.db", "REDIS_URL": "cache", "WEB_THREADS": "x"}
    settings, problems = Settings.read(environment)
    assert settings.database_url.startswith("sqlite:///file:")
    assert settings.redis_url.startswith("unix://")
    assert settings.web_threads == 4
    names = {"SECRET_KEY", "BASE_URL", "MAIL_URL", "DATABASE_URL", "REDIS_URL", "WEB_THREADS"}
    assert {problem.setting for problem in problems} == names


def test_it_is_known_whether_somebody_chose_the_database(production: dict[str, str]):
    assert not Settings.from_environment(production).database_chosen
    assert Settings.from_environment(production | {"DATABASE_URL": "sqlite:///referralhub.sqlite3"}).database_chosen


def test_production_is_what_one_gets_without_asking(production: dict[str, str]):
    assert "REFERRALHUB_ENV" not in production
    assert not Settings.from_environment(production).development


def test_development_needs_nothing(development: dict[str, str], tmp_path: Path):
    settings = Settings.from_environment(development)
    assert settings.development
    assert settings.base_url == "http://127.0.0.1:8000"
    assert settings.mail_url == "file:"
    assert settings.database_url == f"sqlite:///file:{tmp_path}/referralhub.sqlite3?mode=rw&uri=true"
    assert settings.redis_url.startswith("unix://")


@pytest.mark.parametrize(
    ("host", "address"),
    [("192.0.2.1", "http://192.0.2.1:9000"), ("localhost", "http://localhost:9000"), ("::1", "http://[::1]:9000")],
)
def test_development_listens_where_it_is_told(development: dict[str, str], host: str, address: str):
    settings = Settings.from_environment(development | {"HOST": host, "PORT": "9000"})
    assert settings.base_url == address


def test_the_secret_is_made_once_and_kept_to_its_owner(development: dict[str, str], tmp_path: Path):
    first, second = (Settings.from_environment(development).secret_key for _ in range(2))
    assert first == second
    assert len(first) == 64
    assert stat.S_IMODE((tmp_path / "secret_key").stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["secret_key"]


def test_production_keeps_no_secret_of_its_own(production: dict[str, str], tmp_path: Path):
    Settings.from_environment(production)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("written", "understood"),
    [
        ("postgres://u:p@db.example.com/hub", "postgresql+psycopg://u:p@db.example.com/hub"),
        ("postgresql://u:p@db.example.com/hub", "postgresql+psycopg://u:p@db.example.com/hub"),
        ("postgresql+psycopg://u@/hub?host=/run", "postgresql+psycopg://u@/hub?host=/run"),
    ],
)
def test_database_urls_as_people_write_them(production: dict[str, str], written: str, understood: str):
    assert Settings.from_environment(production | {"DATABASE_URL": written}).database_url == understood


@pytest.mark.parametrize(
    ("written", "file"), [("sqlite:///hub.db", "{}/hub.db"), ("sqlite:////var/hub.db", "/var/hub.db")]
)
def test_a_sqlite_file_is_never_created_by_opening_it(
    production: dict[str, str], tmp_path: Path, written: str, file: str
):
    url = Settings.from_environment(production | {"DATABASE_URL": written}).database_url
    assert url == f"sqlite:///file:{file.format(tmp_path)}?mode=rw&uri=true"


@pytest.mark.parametrize(
    ("word", "meant"), [("true", True), ("1", True), ("YES", True), ("false", False), ("0", False)]
)
def test_yes_and_no(production: dict[str, str], word: str, meant: bool):
    settings = Settings.from_environment(production | {"REQUIRE_EMAIL_VERIFICATION": word})
    assert settings.require_email_verification is meant


def test_a_slash_at_the_end_of_the_address_is_no_part_of_it(production: dict[str, str]):
    settings = Settings.from_environment(production | {"BASE_URL": "https://refer.example.com/"})
    assert settings.base_url == "https://refer.example.com"


def test_how_many_may_sign_up_is_a_setting(production: dict[str, str]):
    settings = Settings.from_environment(production | {"SIGNUP_LIMIT": "100 per minute; 1000 per day"})
    assert settings.signup_limit == "100 per minute; 1000 per day"


def test_settings_are_frozen(production: dict[str, str]):
    with pytest.raises(AttributeError):
        Settings.from_environment(production).secret_key = "x"


class TestTheProviderThatAdminsSignInWith:
    ALL: ClassVar = {
        "OIDC_DISCOVERY_URL": "https://login.example.com/realms/us/.well-known/openid-configuration",
        "OIDC_CLIENT_ID": "referralhub",
        "OIDC_CLIENT_SECRET": "hunter2",
        "OIDC_DOMAIN": "example.com",
    }

    def test_there_may_be_none(self, production: dict[str, str]):
        assert Settings.from_environment(production).oidc_discovery_url == ""
        assert not Settings.from_environment(production).require_admin_two_factor

    def test_all_of_it_is_accepted(self, production: dict[str, str]):
        settings = Settings.from_environment(production | self.ALL | {"REQUIRE_ADMIN_TWO_FACTOR": "true"})
        assert (settings.oidc_client_id, settings.oidc_domain) == ("referralhub", "example.com")
        assert settings.require_admin_two_factor

    @pytest.mark.parametrize("name", ALL)
    def test_a_part_of_it_is_refused_with_what_is_missing(self, production: dict[str, str], name: str):
        with pytest.raises(ConfigurationError, match=f"^{name} is missing") as refusal:
            Settings.from_environment(production | self.ALL | {name: ""})
        assert "hunter2" not in str(refusal.value)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("OIDC_DISCOVERY_URL", "https://login.example.com/realms/us"),
            ("OIDC_DISCOVERY_URL", "login.example.com/.well-known/openid-configuration"),
            ("OIDC_DISCOVERY_URL", "http://login.example.com/.well-known/openid-configuration"),
            ("OIDC_DISCOVERY_URL", "https://login@example.com/.well-known/openid-configuration"),
            ("OIDC_DISCOVERY_URL", "https://login.example.com/.well-known/openid-configuration?x=1"),
            ("OIDC_DOMAIN", "@example.com"),
            ("OIDC_DOMAIN", "*.example.com"),
            ("OIDC_DOMAIN", "example.com, example.org"),
            ("OIDC_DOMAIN", "com"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, production: dict[str, str], name: str, value: str):
        with pytest.raises(ConfigurationError, match=f"^{name} cannot be used"):
            Settings.from_environment(production | self.ALL | {name: value})

    def test_on_ones_own_machine_it_need_not_be_encrypted(self, development: dict[str, str]):
        plain = {"OIDC_DISCOVERY_URL": "http://localhost:9000/.well-known/openid-configuration"}
        assert Settings.from_environment(development | self.ALL | plain).oidc_discovery_url
