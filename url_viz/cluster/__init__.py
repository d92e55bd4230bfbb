"""Embedding on the machines of a Ray cluster; only here is Ray, an extra, imported."""
