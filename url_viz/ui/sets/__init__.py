"""The Image sets page: what is kept of each folder."""
