"""A user's own model on an image set."""
