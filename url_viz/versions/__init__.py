"""Versions of an image set, and what changed between two."""
