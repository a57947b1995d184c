"""The rules that an admin sets, in versions."""
