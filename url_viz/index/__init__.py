"""What is kept of an image set: embeddings in a store, the neighbour graph, twins, and the map's coordinates."""
