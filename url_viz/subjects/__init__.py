"""The subjects of an image set as objects: labels, answers, names, reviews, splits, twins, maps, files and search."""
