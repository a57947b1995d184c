"""Types of Flask-Admin's lists of rows that SQLAlchemy reads."""

from flask_admin.contrib.sqla.view import ModelView as ModelView
