"""The Image sets page: what is stored for each folder."""
