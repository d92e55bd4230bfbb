"""Tools that make the shipped heads: picture collection, training, choice of the seed, evaluation, model card."""
