"""Pictures that are no part of an image set, or parts of one that is."""
