"""What is in a folder that somebody names: counted in the background, so that no page waits for a slow disk."""

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

from url_viz.errors import UrlVizError
from url_viz.imaging.folder_preview import FolderPreview, preview_folder

WAIT_S = 0.3
"""How long a page waits for the count to end; most folders take less."""
FRESH_S = 5.0
"""For how long a count that has ended is told again."""
MOST_WAIT_S = 10.0
"""How long a click on "Read this folder" waits for the first picture to be met."""
MOST_HELD = 32


class _Look:
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

    def told(self, wait_s: float, *, till_some: bool) -> FolderPreview:
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
        except UrlVizError as error:  # told to whoever asks, as if the count had run there
            self._error = error
        finally:
            self._ended_at = time.monotonic()
            self._over.set()
            self._has_some.set()


class FolderPreviews:
    """The latest counts; one folder is counted once at a time, whoever asks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: OrderedDict[Path, _Look] = OrderedDict()

    def at(self, folder: Path, *, within: Sequence[Path], wait_s: float = WAIT_S) -> FolderPreview:
        """What is known of a folder by now, `is_done` once it is counted.

        Raises FolderError if a reading of it would fail at once.
        """
        return self._look(folder, within).told(wait_s, till_some=False)

    def refuse_empty(self, folder: Path, *, within: Sequence[Path]) -> None:
        """Wait until a picture was met, or the count has ended. Raises FolderError, NoImagesError as the count did."""
        self._look(folder, within).told(MOST_WAIT_S, till_some=True)

    def _look(self, folder: Path, within: Sequence[Path]) -> _Look:
        with self._lock:
            look = self._held.get(folder)
            if look is None or look.is_stale:
                look = self._held[folder] = _Look(folder, within)
            self._held.move_to_end(folder)
            while len(self._held) > MOST_HELD:
                self._held.popitem(last=False)
        return look


folder_previews = FolderPreviews()
