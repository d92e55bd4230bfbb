"""What is worth knowing of an image set, and what a gate asks of it."""
