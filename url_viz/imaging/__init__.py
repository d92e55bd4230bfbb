"""Image input: folder scans, decoding to upright RGB, preprocessing and thumbnails."""
