"""Types of Huey, which has none: what the job queue and the worker use of it."""

from huey.api import RedisHuey as RedisHuey
from huey.api import crontab as crontab
