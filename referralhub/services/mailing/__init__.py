"""Mail that waits, goes out, comes back or is not wanted."""
