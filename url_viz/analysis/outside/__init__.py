"""Pictures from outside an image set, and parts of pictures in it."""
