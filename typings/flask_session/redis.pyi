"""Types of Flask-Session's sessions in Redis."""

from flask import Flask
from flask_session.base import ServerSideSessionInterface
from redis import Redis

class RedisSessionInterface(ServerSideSessionInterface):
    client: Redis
    def __init__(self, app: Flask, client: Redis | None = None, key_prefix: str = "session:") -> None: ...
