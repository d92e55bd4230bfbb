"""The subjects of an image set as small objects: labels, answers, names, reviews, splits, files, and search."""
