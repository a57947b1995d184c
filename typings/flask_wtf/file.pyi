"""Types of Flask-WTF's field for a file that is sent along."""

import wtforms
from werkzeug.datastructures import FileStorage

class FileField(wtforms.FileField):
    data: FileStorage | None
