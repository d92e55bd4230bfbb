"""The Check labels page: suspects, and classes that are mixed up."""
