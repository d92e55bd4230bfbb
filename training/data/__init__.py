"""Picture lists and streams for training and evaluation: folders, published data sets, tar shards."""
