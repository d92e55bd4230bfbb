"""Approaches to uncertainty side by side: each trains a small head on the same embeddings of a frozen backbone."""
