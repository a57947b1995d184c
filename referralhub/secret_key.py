"""The secret key of an installation on somebody's own machine."""

import os
import secrets
from pathlib import Path


def kept_key(file: Path) -> str:
    """Read the secret key that this installation keeps, making it on the first call."""
    if not file.exists():
        fresh = file.with_name(f"{file.name}.{os.getpid()}")
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_hex(32))
        try:
            file.hardlink_to(fresh)  # the first process wins; the others read the winner's key
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return file.read_text().strip()
