"""Types of Flask-WTF's form, which is filled from the request unless it is told otherwise."""

from collections.abc import Mapping, Sequence
from typing import Any

from werkzeug.datastructures import MultiDict
from wtforms import Form

class FlaskForm(Form):
    def __init__(self, formdata: MultiDict[str, Any] | None = ..., **kwargs: Any) -> None: ...
    def is_submitted(self) -> bool: ...
    def validate_on_submit(self, extra_validators: Mapping[str, Sequence[Any]] | None = None) -> bool: ...
