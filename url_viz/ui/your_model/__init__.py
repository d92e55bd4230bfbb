"""The Check labels page: likely label errors, and confused classes."""
