"""Columns: the engine that computes each once, its sources, the table, measures and filters."""
