"""From pixels to embedding and uncertainty: backbones, heads, checkpoints and the runtimes that run them."""
