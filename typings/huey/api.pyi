"""Types of Huey's queue and of its jobs."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Generic, ParamSpec, TypeVar

from huey.consumer import Consumer

_Params = ParamSpec("_Params")
_Result = TypeVar("_Result")

class Task:
    id: str
    name: str

class PeriodicTask(Task): ...

class TaskWrapper(Generic[_Params, _Result]):
    def __call__(self, *args: _Params.args, **kwargs: _Params.kwargs) -> Any: ...  # queues it
    def schedule(self, *, delay: float) -> Any: ...  # queues it for later, in so many seconds
    def call_local(self, *args: _Params.args, **kwargs: _Params.kwargs) -> _Result: ...  # does it at once

class Huey:
    storage: Any
    storage_kwargs: dict[str, Any]
    def __init__(self, name: str = "huey") -> None: ...
    def create_storage(self) -> Any: ...
    def create_consumer(self, **options: Any) -> Consumer: ...
    def task(self) -> Callable[[Callable[_Params, _Result]], TaskWrapper[_Params, _Result]]: ...
    def periodic_task(
        self, validate_datetime: Callable[[datetime], bool]
    ) -> Callable[[Callable[_Params, _Result]], TaskWrapper[_Params, _Result]]: ...
    def signal(self, *signals: str) -> Callable[[Callable[..., None]], Callable[..., None]]: ...
    def enqueue(self, task: Task) -> Any: ...
    def execute(self, task: Task, timestamp: datetime | None = None) -> Any: ...

class RedisHuey(Huey): ...

def crontab(
    minute: str = "*", hour: str = "*", day: str = "*", month: str = "*", day_of_week: str = "*"
) -> Callable[[datetime], bool]: ...
