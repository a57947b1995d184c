"""The growth pages."""
