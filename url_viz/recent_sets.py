"""The image sets of a workspace, the one that was read last first, each with what a list of them shows."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from weakref import WeakValueDictionary

import numpy as np

from url_viz.base.errors import UrlVizError
from url_viz.base.workspace import SetPaths, Workspace
from url_viz.image_set import ImageSet
from url_viz.imaging.folder_classes import find_classes
from url_viz.models.model import ModelSource
from url_viz.store.about import About, sets_with_pictures
from url_viz.store.columns.imported_columns import columns_version
from url_viz.store.sets import Unfinished, unfinished
from url_viz.store.tables.reader import Store

THUMBNAILS = 5


@dataclass(frozen=True)
class RecentSet:
    """An image set in a list: how many pictures and classes, when it was read last (Unix seconds), and with what.

    `classes` are those of its label, `folder_classes` those of its folders as they are found, whatever the label is.
    `thumbnails` (JPEG) are of some of its pictures, spread over it by path. `unfinished` is a reading that was stopped.
    `damage` says what is damaged and the next step, "" for nothing that is seen here; then there may be no counts.
    """

    set_id: str
    about: About
    pictures: int
    classes: int
    folder_classes: int
    read_at: float
    models: tuple[str, ...]
    thumbnails: tuple[bytes, ...]
    unfinished: Unfinished | None
    damage: str = ""


class RecentSets:
    """The lists of one workspace. What was counted of a set is kept until its store says that it has changed."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._lock = threading.Lock()
        self._counting = WeakValueDictionary[str, threading.Lock]()
        self._known: dict[str, tuple[tuple[object, ...], RecentSet]] = {}
        self._stores: dict[str, Store] = {}

    def latest(self, most: int) -> list[RecentSet]:
        """At most `most` image sets, the one that was read last first; damaged ones among them."""
        paths = self._workspace.set_paths
        sets = [
            (_read_at(about, paths(set_id)), set_id, about) for set_id, about in sets_with_pictures(self._workspace)
        ]
        with self._lock:
            for gone in self._stores.keys() - {set_id for _, set_id, _ in sets}:  # its pictures were to be forgotten
                del self._stores[gone]
                self._known.pop(gone, None)
        latest = sorted(sets, key=lambda entry: (-entry[0], entry[1]))[:most]
        return [self._described(set_id, about, read_at) for read_at, set_id, about in latest]

    def _described(self, set_id: str, about: About, read_at: float) -> RecentSet:
        try:
            partial = unfinished(set_id, self._workspace) if about.begun else None
            recent = self._as_counted(set_id, about)
        except UrlVizError as error:
            recent, partial = RecentSet(set_id, about, 0, 0, 0, 0.0, _models(about), (), None, str(error)), None
        return replace(recent, about=about, read_at=read_at, unfinished=partial)

    def _as_counted(self, set_id: str, about: About) -> RecentSet:
        """The set as it was counted before, if it has not changed, or while another page counts it."""
        with self._lock:
            counting = self._counting.setdefault(set_id, threading.Lock())
            store = self._stores.setdefault(set_id, Store(self._workspace.set_paths(set_id)))
        key, known = _version(store, about), self._known.get(set_id)
        if known is not None and (known[0] == key or counting.locked()):
            return known[1]
        with counting:
            known = self._known.get(set_id)
            if known is None or known[0] != key:
                known = self._known[set_id] = key, _counted(store, about, self._workspace)
        return known[1]


def _models(about: About) -> tuple[str, ...]:
    return tuple(dict.fromkeys(space.backbone for space in reversed(about.spaces)))


def _read_at(about: About, paths: SetPaths) -> float:
    """When a set was read last; of one whose reading never came to an end, its label's time."""
    return about.read_at or paths.about.stat().st_mtime


def _version(store: Store, about: About) -> tuple[object, ...]:
    space = about.spaces[-1].key if about.spaces else ""
    return (store.paths.folder, space, store.version(space, None), columns_version(store.paths))


def _counted(store: Store, about: About, workspace: Workspace) -> RecentSet:
    files = store.images(["id", "path", "failure"])
    is_picture = files["failure"].is_null().to_numpy()
    ids = np.asarray(files["id"].to_numpy())[is_picture]
    paths = [path for path, is_one in zip(files["path"].to_pylist(), is_picture, strict=True) if is_one]
    try:
        classes, damage = _classes(store, about, workspace), ""
    except UrlVizError as error:  # of its label or a column: its pictures can be counted
        classes, damage = 0, str(error)
    shown = _evenly_spaced(ids, paths)
    found = store.thumbnails(shown)
    small = tuple(found[image_id] for image_id in shown if image_id in found)
    found_classes = len(set(find_classes(paths).class_names) - {None})
    return RecentSet(
        store.paths.folder.name, about, len(ids), classes, found_classes, 0.0, _models(about), small, None, damage
    )


def _evenly_spaced(ids: "np.ndarray[tuple[int], np.dtype[np.int64]]", paths: Sequence[bytes]) -> tuple[int, ...]:
    """The ids of some pictures, evenly spread over all in the order of their paths."""
    order = sorted(range(len(paths)), key=paths.__getitem__)
    if len(order) > THUMBNAILS:
        order = [order[int(index)] for index in np.linspace(0, len(order) - 1, THUMBNAILS).round()]
    return tuple(int(ids[row]) for row in order)


def _classes(store: Store, about: About, workspace: Workspace) -> int:
    """How many classes the set has, by whatever its label is; 0 before it has an embedding."""
    if not about.spaces:
        return 0
    space = about.spaces[-1]
    source = ModelSource(space.backbone, space.backbone, None)  # a table of no model's values needs no model
    return ImageSet(store, space, source, workspace, is_single_model=True).labels.levels().classes
