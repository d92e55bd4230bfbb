"""The one handle: `ImageSet`, and the two ways to one, `embed_folder` and `open_image_set`."""

from url_viz.image_set.handle import ImageSet, Projection, SearchResult
from url_viz.image_set.reading import embed_folder, open_image_set, open_set, read_before

__all__ = ["ImageSet", "Projection", "SearchResult", "embed_folder", "open_image_set", "open_set", "read_before"]
