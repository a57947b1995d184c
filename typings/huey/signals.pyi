"""Types of what Huey tells about a job."""

SIGNAL_ERROR: str
