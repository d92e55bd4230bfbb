"""Published sets of pictures by name: `cub:PATH` and others, with their official splits and people's votes."""
