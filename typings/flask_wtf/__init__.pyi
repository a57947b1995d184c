"""Types of Flask-WTF, which has none: what the forms use of it. WTForms itself is described by types-WTForms."""

from flask_wtf.csrf import CSRFProtect as CSRFProtect
from flask_wtf.form import FlaskForm as FlaskForm
