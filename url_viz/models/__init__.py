"""Models from pixels to embedding and uncertainty: backbones, heads, checkpoints and runtimes."""
