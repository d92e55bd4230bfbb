"""The pictures of an image set themselves: their files, objects and maps."""
