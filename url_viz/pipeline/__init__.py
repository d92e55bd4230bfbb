"""What reading a folder does: embed what is new, then the neighbour graph, twins, and the map."""
