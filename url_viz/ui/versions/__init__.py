"""The Versions page: what changed in an image set, or between two, on one map and in figures."""
