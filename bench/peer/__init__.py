"""The peer: the founding article's system in Django, as it describes itself."""
