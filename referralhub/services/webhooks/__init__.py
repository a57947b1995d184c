"""Telling other programs what has happened."""
