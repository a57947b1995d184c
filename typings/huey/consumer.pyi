"""Types of Huey's worker."""

class Consumer:
    def run(self) -> None: ...
