"""What changed between two versions of an image set."""
