"""Separate maps of selected pictures: computed in a subprocess, and cached for the HTTP routes."""

import atexit
import hashlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from url_viz.child_environment import child_variables
from url_viz.image_set import ImageSet, Projection
from url_viz.pipeline.projection import FEWEST_FOR_UMAP
from url_viz.ui.text import Markdown, escape

Method = Literal["umap", "tsne"]
MOST_HELD = 32
TICK_S = 0.5


@dataclass(frozen=True)
class Subset:
    """Some pictures of an image set on a separate map: `ids` (M,), and the projection by `method` once it is computed.

    `failure` says why it could not be computed.
    """

    key: str
    ids: NDArray[np.int64]
    projection: Projection | None = None
    failure: str = ""
    method: Method = "umap"
    began_s: float = field(default_factory=time.monotonic)

    @property
    def is_being_made(self) -> bool:
        """Whether the map is still being computed."""
        return self.projection is None and not self.failure

    @property
    def state(self) -> str:
        """A word that changes when the points do, for `points_url`."""
        return "alone" if self.projection is not None else "before"

    def table_of(self, table: pd.DataFrame) -> pd.DataFrame:
        """The rows of these pictures, with coordinates on their map; on the full map until that is computed."""
        rows = table[np.isin(table["id"].to_numpy(np.int64), self.ids)]
        if self.projection is None:
            return rows
        at = pd.DataFrame(self.projection.xy, index=self.projection.ids, columns=["x", "y"])
        at = at.reindex(rows["id"].to_numpy())
        return rows.assign(x=at["x"].to_numpy(np.float32), y=at["y"].to_numpy(np.float32))


class Subsets:
    """Cache of the latest subsets; the least recently used are dropped. One map is computed at a time.

    In a subprocess, because UMAP compiles itself for half a minute at its first use and holds Python's lock meanwhile:
    in a thread it would block every page of the server.
    """

    def __init__(self, most: int = MOST_HELD) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._held: OrderedDict[str, Subset] = OrderedDict()
        self._running: subprocess.Popen[bytes] | None = None
        atexit.register(self.stop)

    def ask(self, image_set: ImageSet, ids: NDArray[np.int64], *, method: Method = "umap") -> Subset:
        """The subset of these pictures; starts computing its map if there is none yet, without waiting for it."""
        wanted = np.unique(np.asarray(ids, np.int64))
        name = f"{image_set.set_id} {image_set.space.key} {image_set.version} {method}".encode()
        key = hashlib.blake2b(name + wanted.tobytes(), digest_size=12).hexdigest()
        with self._lock:
            held = self._held.get(key)
            if held is None:
                held = Subset(key, wanted, method=method)
                threading.Thread(target=self._make, args=(image_set, held), daemon=True).start()
            self._hold(held)
        return held

    def get(self, key: str) -> Subset | None:
        """The subset of a key, marked as recently used; None if it was dropped."""
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
            return self._held.get(key)

    def forget(self, key: str) -> None:
        """Drop a subset; its map is computed again when it is requested again."""
        with self._lock:
            self._held.pop(key, None)

    def stop(self) -> None:
        """End the subprocess that is computing a map."""
        if self._running is not None and self._running.poll() is None:
            self._running.terminate()

    def _hold(self, subset: Subset) -> None:
        self._held[subset.key] = subset
        self._held.move_to_end(subset.key)
        while len(self._held) > self._most:
            self._held.popitem(last=False)

    def _make(self, image_set: ImageSet, subset: Subset) -> None:
        with self._turn:
            with self._lock:
                if subset.key not in self._held:  # dropped meanwhile
                    return
            try:
                few = len(subset.ids) < FEWEST_FOR_UMAP
                project = image_set.project if few else partial(self._project_in_subprocess, image_set)
                projection = project(subset.ids, method=subset.method)
                done = replace(subset, projection=projection)
            except Exception as error:  # noqa: BLE001 - the thread ends here; the page that waits for it says why
                done = replace(subset, failure=str(error) or type(error).__name__)
        with self._lock:
            if subset.key in self._held:
                self._held[subset.key] = done

    def _project_in_subprocess(self, image_set: ImageSet, wanted: NDArray[np.int64], *, method: Method) -> Projection:
        with tempfile.TemporaryDirectory() as folder:
            ids, out = Path(folder) / "ids.txt", Path(folder) / "map.parquet"
            ids.write_text("\n".join(map(str, wanted.tolist())), encoding="utf-8")
            command = [sys.executable, "-m", "url_viz", "project", str(image_set.root), str(ids), str(out)]
            command += ["--method", method, "--model", image_set.source.name]
            command += ["--workspace", str(image_set.workspace.root)]
            self._running = subprocess.Popen(
                command,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env={**os.environ, **child_variables()},
            )
            complaint = self._running.communicate()[1].decode(errors="replace").strip()
            if self._running.returncode:
                raise RuntimeError(complaint.splitlines()[-1] if complaint else "the process was ended")
            table = pd.read_parquet(out)
        ids_of, xy = table["id"].to_numpy(np.int64), table[["x", "y"]].to_numpy(np.float32)
        return Projection(ids_of, xy, table["method"].iloc[0])


subsets = Subsets()


_TSNE = "This map is by t-SNE, as in the paper's figure."
_NOT_YET = "t-SNE is being computed; until then this is the map by UMAP."


def show_subset(subset: Subset, *, total: int, on_back: Callable[[], None]) -> None:
    """Say what this map shows, with a button that calls `on_back`.

    Until their map is computed they keep their coordinates on the full one; then the page runs again.
    """
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        is_whole = len(subset.ids) == total
        shown = "" if is_whole else f"This map shows only **{len(subset.ids):,}** of {total:,} pictures. "
        by = _TSNE if subset.method == "tsne" else ""
        by = _NOT_YET if by and subset.is_being_made else by
        st.markdown(Markdown(shown + by), width="content")
        words = "Back to UMAP" if is_whole else "Back to all"
        st.button(escape(words), icon=":material/zoom_out_map:", key="subset.back", on_click=on_back)
    if subset.failure:
        st.error(f"The map of these pictures could not be computed: {escape(subset.failure)}", icon=":material/error:")
        st.button("Try again", key="subset.again", on_click=subsets.forget, args=(subset.key,))
    elif subset.is_being_made:
        st.fragment(_await, run_every=TICK_S)(subset.key)


def _await(key: str) -> None:
    held = subsets.get(key)
    if held is None or not held.is_being_made:
        st.rerun()
    st.caption(
        f":material/hourglass_top: Computing the map of these pictures, for {time.monotonic() - held.began_s:.0f} s. "
        "UMAP takes seconds to half a minute, t-SNE of thousands of pictures minutes."
    )
