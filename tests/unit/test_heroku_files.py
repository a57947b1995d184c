"""What Heroku reads: app.json, the Procfile, and .profile."""

import json
import subprocess
from pathlib import Path

import pytest

from referralhub.config import PROJECT, Settings

STRONG = "0123456789abcdef" * 4
PROCFILE = dict(line.split(": ", 1) for line in (PROJECT / "Procfile").read_text().splitlines())
APP = json.loads((PROJECT / "app.json").read_text())


def test_every_process_is_started_and_every_setting_asked_for(tmp_path: Path):
    assert set(APP["formation"]) == set(PROCFILE) - {"release"}
    environment = {
        "SECRET_KEY": STRONG,
        "BASE_URL": "https://refer.example.com",
        "MAIL_URL": "smtp://mail.example.com",
        "DATABASE_URL": "postgres://u:p@db.example.com:5432/d",
        "REDIS_URL": "rediss://:p@redis.example.com:6380",
    }
    assert set(APP["env"]) == set(environment) - {"DATABASE_URL", "REDIS_URL"} | {"TRUSTED_PROXIES"}
    assert APP["env"]["SECRET_KEY"]["generator"] == "secret"
    plans = {addon["plan"].partition(":")[0] for addon in APP["addons"]}
    assert plans == {"heroku-postgresql", "heroku-redis"}
    Settings.from_environment({**environment, "INSTANCE_PATH": str(tmp_path), "TRUSTED_PROXIES": "1"})


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("rediss://:p@h:6380", "rediss://:p@h:6380?ssl_cert_reqs=none"),
        ("rediss://h?ssl_ca_certs=/x", "rediss://h?ssl_ca_certs=/x"),
        ("redis://h", "redis://h"),
    ],
)
def test_its_redis_is_believed_without_a_certificate_and_nobody_elses(given: str, read: str):
    command = ["bash", "-c", '. ./.profile; echo "$REDIS_URL"']
    for dyno, expected in (("web.1", read), ("", given)):
        environment = {"REDIS_URL": given, **({"DYNO": dyno} if dyno else {})}
        done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == expected
