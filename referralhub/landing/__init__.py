"""The public face: the home page and the members' links."""
