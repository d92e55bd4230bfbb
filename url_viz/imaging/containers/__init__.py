"""Pictures inside of other files: archives, Parquet and Arrow files, and lists of paths, read without unpacking."""
