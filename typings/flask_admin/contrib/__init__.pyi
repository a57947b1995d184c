"""Types of what Flask-Admin has for each kind of database."""
