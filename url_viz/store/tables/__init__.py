"""The Lance tables of an image set and of its embeddings."""
