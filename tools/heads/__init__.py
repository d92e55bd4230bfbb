"""Make the shipped heads: collect free pictures, cache, train, choose, evaluate, write the card."""
