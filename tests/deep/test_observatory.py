"""MDN HTTP Observatory's published scoring, by its own package, on a TLS server of this machine."""

import json
import os
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from tests.deep.conftest import Table
from tests.servers import free_port

pytestmark = [pytest.mark.deep, pytest.mark.one_database]

HOST = "refer.example.com"
PACKAGE = "@mdn/mdn-http-observatory@1.4.8"


@pytest.fixture
def observatory(request: pytest.FixtureRequest) -> Path:
    """Give a folder that has the package; it is fetched once."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("there is no Node on this machine")
    folder = Path(request.config.cache.mkdir("observatory"))
    if not (folder / "node_modules/@mdn").exists():
        install = ["npm", "install", "--silent", "--ignore-scripts", "--prefix", str(folder), PACKAGE]
        if subprocess.run(install, check=False, timeout=300, capture_output=True).returncode:
            pytest.skip("npm cannot fetch the Observatory")
        # The hosts that browsers know for https, which it would download now: the test's is none of them.
        (folder / "node_modules/@mdn/mdn-http-observatory/conf/hsts-preload.json").write_text("{}")
    return folder


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Make a certificate of the host that nobody else has signed."""
    if not shutil.which("openssl"):
        pytest.skip("there is no OpenSSL on this machine")
    file, public = tmp_path / "certificate.pem", tmp_path / "public.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}", "-keyout", file, "-out", public],
        check=True, capture_output=True,
    )  # fmt: skip
    file.write_text(file.read_text() + public.read_text())
    return file


@contextmanager
def serving(app: object, context: ssl.SSLContext | None = None) -> Iterator[int]:
    server = make_server("127.0.0.1", free_port(), app, threaded=True, ssl_context=context)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.port
    server.shutdown()
    thread.join()
    server.server_close()


@Request.application
def to_https(request: Request) -> Response:
    """Do what the proxy in front does."""
    return Response(status=301, headers={"Location": f"https://{HOST}{request.full_path.rstrip('?')}"})


@pytest.mark.parametrize("path", ["/", "/login"])
def test_the_grade_is_a_plus(make_app, observatory: Path, certificate: Path, path: str, table: Table):
    app = make_app(base_url=f"https://{HOST}", referralhub_env="production")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)

    def at(environ, start_response):
        """Give this page in place of the first, which is all that the Observatory looks at."""
        environ["PATH_INFO"] = path if environ["PATH_INFO"] == "/" else environ["PATH_INFO"]
        return app(environ, start_response)

    with ExitStack() as stack:
        http, https = stack.enter_context(serving(to_https)), stack.enter_context(serving(at, tls))
        ran = subprocess.run(
            ["node", Path(__file__).with_name("observatory.mjs"), observatory, HOST, str(http), str(https)],
            check=False, capture_output=True, text=True, timeout=60,
            env={**os.environ, "NODE_EXTRA_CA_CERTS": str(certificate)},
        )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    table.append(("MDN HTTP Observatory", path, f"{found['grade']}, {found['score']}"))
    assert (found["grade"], found["failed"]) == ("A+", 0), found
    assert found["score"] >= 135, found
