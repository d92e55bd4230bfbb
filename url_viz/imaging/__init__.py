"""From files to pixels: scan a folder, decode anything to upright RGB, cut thumbnails."""
