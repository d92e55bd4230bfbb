"""The Sort uploads page: files scored in memory, and sorted by a measure."""
