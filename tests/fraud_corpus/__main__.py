"""Prints the confusion table: `python -m tests.fraud_corpus [SEED]`."""

import sys

from sqlalchemy import event

from referralhub import create_app
from referralhub.extensions import db
from tests import conftest, servers
from tests.fraud_corpus.play import play
from tests.fraud_corpus.stories import SEED


def main(seed: int) -> None:
    with servers.short_folder() as folder, servers.Valkey(folder) as valkey:
        url = conftest.sqlite_url(folder / "corpus.sqlite3")
        conftest._migrate(url, folder)
        app = create_app(conftest.make_settings(url, valkey.url, folder, ratelimit_enabled=False))
        with app.app_context():
            event.listen(db.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
        result = play(app, seed=seed)
        times = sorted(time for times in result.seconds.values() for time in times)
        spent = f"{len(times)} verifications: median {times[len(times) // 2]:.3f} s, longest {times[-1]:.3f} s"
        sys.stdout.write("\n".join([result.table(), "", *result.why, "", spent, ""]))


main(int(sys.argv[1]) if sys.argv[1:] else SEED)
