"""The Explore page: the map, its controls, and the galleries."""
