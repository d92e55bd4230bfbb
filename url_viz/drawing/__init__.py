"""Encodings that the app, notebooks and reports share: points and tiles as the browser reads them."""
