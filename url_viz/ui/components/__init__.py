"""The app's own components: the map and the gallery."""
