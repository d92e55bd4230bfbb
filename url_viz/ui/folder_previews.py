"""What is in a folder that somebody names: counted in the background, so that no page waits for a slow disk."""

import threading
import time
from collections.abc import Sequence
from pathlib import Path

from url_viz.errors import UrlVizError
from url_viz.imaging.folder_preview import FolderPreview, preview_folder
from url_viz.ui.response_cache import LruCache

WAIT_S = 0.3
"""How long a page waits for the count to end; most folders take less."""
FRESH_S = 5.0
"""For how long a count that has ended is shown again."""
MOST_WAIT_S = 10.0
"""How long a click on "Read this folder" waits for the first picture to be met."""
MOST_FOLDERS = 32


class _FolderCount:
    """One folder being counted by a thread of its own."""

    def __init__(self, folder: Path, within: Sequence[Path]) -> None:
        self._folder, self._within = folder, within
        self._latest = FolderPreview(0, 0)
        self._error: UrlVizError | None = None
        self._ended_at: float | None = None
        self._over, self._has_some = threading.Event(), threading.Event()
        threading.Thread(target=self._count, name=f"look into {folder}", daemon=True).start()

    @property
    def is_stale(self) -> bool:
        return self._ended_at is not None and time.monotonic() - self._ended_at > FRESH_S

    def preview(self, wait_s: float, *, till_some: bool) -> FolderPreview:
        (self._has_some if till_some else self._over).wait(wait_s)
        if self._error is not None:
            raise self._error
        return self._latest

    def _count(self) -> None:
        try:
            for preview in preview_folder(self._folder, within=self._within):
                self._latest = preview
                if preview.pictures:
                    self._has_some.set()
        except UrlVizError as error:  # raised for whoever asks
            self._error = error
        finally:
            self._ended_at = time.monotonic()
            self._over.set()
            self._has_some.set()


class FolderPreviews:
    """The latest counts; one folder is counted once at a time, whoever asks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: LruCache[Path, _FolderCount] = LruCache(MOST_FOLDERS)

    def at(self, folder: Path, *, within: Sequence[Path], wait_s: float = WAIT_S) -> FolderPreview:
        """What is known of a folder by now, `is_done` once it is counted.

        Raises FolderError if a reading of it would fail at once.
        """
        return self._count_of(folder, within).preview(wait_s, till_some=False)

    def refuse_empty(self, folder: Path, *, within: Sequence[Path]) -> None:
        """Wait until a picture was met, or the count has ended. Raises FolderError, NoImagesError as the count did."""
        self._count_of(folder, within).preview(MOST_WAIT_S, till_some=True)

    def _count_of(self, folder: Path, within: Sequence[Path]) -> _FolderCount:
        with self._lock:
            count = self._counts.get(folder)
            if count is None or count.is_stale:
                count = _FolderCount(folder, within)
                self._counts.put(folder, count)
        return count


folder_previews = FolderPreviews()
