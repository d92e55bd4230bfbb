"""Pictures from outside the set: uploads, queries, crops."""
