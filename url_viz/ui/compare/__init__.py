"""The Compare page: two models on linked maps."""
