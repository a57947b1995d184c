"""Types of Flask-Admin, which brings some but does not say so (it has no `py.typed`): what the panel uses of it."""

from flask_admin.base import Admin as Admin
from flask_admin.base import BaseView as BaseView
from flask_admin.base import expose as expose
