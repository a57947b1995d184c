"""Types of Flask-Admin's lists, whatever keeps the rows."""
