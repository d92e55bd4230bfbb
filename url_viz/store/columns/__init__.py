"""Columns that users and sources bring for their pictures: read, matched and stored."""
