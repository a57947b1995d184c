"""Sessions in Redis: who is signed in, and whose links a visitor followed."""
