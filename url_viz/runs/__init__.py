"""Runs of a user's own model over its training, and its predictions."""
