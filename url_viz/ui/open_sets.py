"""Image sets that the app holds open: one snapshot each, shared by pages and routes, renewed when one is written."""

import threading
from collections import OrderedDict
from functools import cache
from pathlib import Path

from url_viz.errors import ImageSetError
from url_viz.image_set import ImageSet, open_set
from url_viz.index.store import Store
from url_viz.models.names import DEFAULT
from url_viz.ui.allowed_paths import allowed_model
from url_viz.workspace import Workspace

MOST_OPEN = 4


class OpenSets:
    """The image sets of one workspace that are in use; the least lately used is let go of beyond a few."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._lock = threading.Lock()
        self._stores: dict[str, Store] = {}
        self._open: OrderedDict[tuple[str, str], ImageSet] = OrderedDict()

    def get(self, set_id: str, model: str = DEFAULT) -> ImageSet:
        """The latest snapshot of an image set under a model. Raises ImageSetError where there is none."""
        allowed_model(model)
        with self._lock:
            held = self._open.get((set_id, model))
            if held is None or not held.is_current():
                held = open_set(set_id, model=model, workspace=self.workspace)
            self._open[set_id, model] = held
            self._open.move_to_end((set_id, model))
            while len(self._open) > MOST_OPEN:
                self._open.popitem(last=False)
            return held

    def find(self, set_id: str, model: str = DEFAULT) -> ImageSet | None:
        """Like `get`, None where the set was not read with this model yet."""
        try:
            return self.get(set_id, model)
        except ImageSetError:
            return None

    def thumbnail(self, set_id: str, image_id: int) -> bytes | None:
        """The thumbnail of a picture, whatever model it was read with; None where there is none."""
        with self._lock:
            if set_id not in self._stores:
                self._stores[set_id] = Store(self.workspace.set_paths(set_id))
        return self._stores[set_id].thumbnails([image_id]).get(image_id)

    def forget(self, set_id: str) -> None:
        """Let go of an image set."""
        with self._lock:
            self._stores.pop(set_id, None)
            for key in [key for key in self._open if key[0] == set_id]:
                del self._open[key]


@cache
def _open_sets_of(root: Path) -> OpenSets:
    return OpenSets(Workspace.at(root))


def open_sets() -> OpenSets:
    """The one holder of the workspace that the app runs on."""
    return _open_sets_of(Workspace.at().root)
