"""Your model: what a user's own model says of the pictures, and which of them are test."""
