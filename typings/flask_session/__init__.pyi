"""Types of Flask-Session, which brings some but does not say so (it has no `py.typed`): what the sessions use of it."""
