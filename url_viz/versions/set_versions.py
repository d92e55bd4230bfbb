"""The versions of an image set: as it is, and as it was at an earlier reading or time."""

import datetime
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from url_viz.base.errors import ImageSetError
from url_viz.base.wording import counted
from url_viz.capability import capability
from url_viz.columns.table import imported, with_user_columns
from url_viz.core import SetCore, SetSubject
from url_viz.findings.leaks import find_splits
from url_viz.imaging.places import image_id, picture_path
from url_viz.imaging.scan import display_name
from url_viz.labels.label_choice import labels, stored_source
from url_viz.store.about import raising_disk_errors
from url_viz.store.columns.imported_columns import NAMES, TAGS
from url_viz.store.columns.source_columns import PICTURE
from url_viz.store.decisions.decision_rows import FileKeys
from url_viz.store.version_files import (
    ROWS,
    ROWS_OF_OBJECTS,
    StoredVersion,
    damaged_versions,
    read_version,
    store_version,
    stored_versions,
    version_numbers,
)
from url_viz.versions.changes import BOX

CURRENT = "now"


@dataclass(frozen=True)
class Version:
    """An image set at one time: `rows` has id, path, content, label, split, decision and ambiguity of each picture.

    label, split and decision are None for none, ambiguity (of the reading) nan. Of objects also picture, and box_x …
    `core` is the set as it is opened now, `title` names the version, `number` is CURRENT for the set as it is.
    """

    core: SetCore
    title: str
    rows: pd.DataFrame
    number: int | str = CURRENT

    @property
    def is_now(self) -> bool:
        """Whether it is the set as it is opened, whose leaks and thumbnails are known."""
        return self.number == CURRENT

    def size(self, *, is_named: bool) -> str:
        """How large it is: "24", or "24 pictures"; of objects "2,805 in 561", "2,805 objects in 561 pictures"."""
        counts = [(len(self.rows), self.core.noun)]
        if PICTURE in self.rows:
            counts.append((self.rows[PICTURE].nunique(), "picture"))
        return " in ".join(counted(count, noun) if is_named else f"{count:,}" for count, noun in counts)


class SetVersions(SetSubject):
    """The versions of an image set, as `image_set.versions`.

    One is kept at the end of each reading that changed something, and when other labels are chosen. What was decided
    and corrected is known at any time since the first of them.
    """

    def stored(self) -> tuple[StoredVersion, ...]:
        """The versions on disk that can be read, the oldest first."""
        damaged = self.damaged()
        return tuple(each for each in stored_versions(self._core.store.paths) if each.number not in damaged)

    def damaged(self) -> tuple[int, ...]:
        """The numbers of versions that are damaged: `mend` lays them aside."""
        return damaged_versions(self._core.store.paths)

    @capability("versions list", noun="version", empty="(no version yet: one is kept at the end of each reading)")
    def list(self) -> pd.DataFrame:
        """List the versions of an image set that `versions diff --since` compares with.

        One is kept for each reading that changed it.

        In Python by number: at (UTC), pictures, and state, which is "damaged" or "".
        """
        whole = [(version.number, version.at, version.pictures, "") for version in self.stored()]
        damaged = [(number, "", None, "damaged") for number in self.damaged()]
        table = pd.DataFrame(sorted([*whole, *damaged]), columns=["number", "at", "pictures", "state"])
        return table.astype({"pictures": "Int64"})

    def store(self, *, is_quick: bool = False) -> bool:
        """Keep the set as it is opened, unless it is as in the last version; returns whether it was kept.

        If `is_quick`, without ambiguity, which the next reading adds.
        """
        core, rows = self._core, _given_rows(self._core, is_quick=is_quick)
        with raising_disk_errors(core.store.paths):
            source = core.derived.get(labels).source
            decided, models = core.decisions.version, "" if is_quick else model_keys(core)
            return store_version(core.store.paths, rows, decisions=decided, label_source=source, models=models)

    def now(self) -> Version:
        """The set as it is opened, with the decisions and labels of now."""
        core = self._core
        frame = core.frame.reindex(columns=["label", "either", "decision"])
        rows = pd.DataFrame({name: frame[name].to_numpy(object) for name in frame})
        return Version(core, core.store.about().title, _rows(core, _given_rows(core, is_quick=False), rows))

    def at(self, since: int | str) -> Version:
        """The version of a number, or that of a time such as "2026-11-28" or "2026-11-28 14:30" (of this machine).

        Of a number with what was decided at the end of that reading; of a time with what was decided until then. Raises
        ImageSetError for a number or time of which nothing is kept, DamageError for a version that is damaged.
        """
        versions, core = stored_versions(self._core.store.paths), self._core
        number = int(since) if str(since).isdecimal() else None
        if number in version_numbers(core.store.paths):
            read_version(core.store.paths, number)  # raises what is wrong with it
        until = "" if number is not None else _utc(str(since))
        fitting = [each for each in versions if (each.at <= until if number is None else each.number == number)]
        if not fitting:
            ends = [f"{each.number} ({each.at})" for each in (*versions[:1], *versions[-1:])]
            there = " to ".join(ends) or "none yet"
            raise ImageSetError(
                f"No version {str(since)!r} of {str(core.root)!r} is kept; there are: {there}. One is kept at the end "
                "of each reading that changes something: `url-viz versions list FOLDER` lists them."
            )
        version = fitting[-1]
        decisions = max(version.decisions, core.decisions.version_at(until)) if until else version.decisions
        stored = read_version(core.store.paths, version.number)
        rows = _as_decided(core, stored, version.label_source, decisions)
        if version.models != model_keys(core):
            place = stored.schema.get_field_index("ambiguity")
            stored = stored.set_column(place, "ambiguity", pa.nulls(len(stored), pa.float32()))
        title = f"{core.store.about().title}, version {version.number} ({since if until else version.at[:16]})"
        return Version(core, title, _rows(core, stored, rows), version.number)


def model_keys(core: SetCore) -> str:
    """The models that ambiguity was computed by; it is compared only where they are the same."""
    second = core.second.active
    return core.space.key if second is None else f"{core.space.key}.{second.space.key}"


def _utc(text: str) -> str:
    """A time of this machine as decisions are logged. Raises ImageSetError for what is no time."""
    try:
        time = datetime.datetime.fromisoformat(text)
    except ValueError as error:
        raise ImageSetError(
            f"{text!r} is neither the number of a version nor a time. Give a number of `url-viz versions "
            'list FOLDER`, or a time such as 2026-11-28 or "2026-11-28 14:30".'
        ) from error
    return time.astimezone(datetime.UTC).isoformat(timespec="seconds")


def _given_rows(core: SetCore, *, is_quick: bool) -> pa.Table:
    """The set's rows as ROWS has them; if `is_quick` without ambiguity."""
    brought = core.derived.get(imported)
    table = with_user_columns(core.base.table, brought)
    splits = find_splits(table, [column.name for column in brought.listed])
    label = core.derived.get(labels).columns.get("label_given", core.base.table["label"])
    ambiguity = (table if is_quick else core.measured)["ambiguity"]
    columns = {
        "path": core.base.paths.cast(pa.binary()),
        "content": core.contents,
        "label": pa.array(label.to_numpy(object), pa.string(), from_pandas=True),
        "split": pa.nulls(len(table), pa.string()) if splits is None else pa.array(splits.texts, pa.string()),
        "ambiguity": pa.array(ambiguity.to_numpy(np.float32), from_pandas=True),
    }
    schema = ROWS
    if core.is_of_objects and set(BOX) <= set(table.columns):
        columns, schema = columns | {name: table[name].to_numpy(np.float64) for name in BOX}, ROWS_OF_OBJECTS
    for name in ("label", "split"):
        columns[name] = columns[name].dictionary_encode()
    return pa.table(columns, schema=schema)


def _as_decided(core: SetCore, stored: pa.Table, source: str | None, version: int) -> pd.DataFrame:
    """Label and decision of each row of a version, as at a version of the log."""
    ids = np.array([image_id(path) for path in stored["path"].to_pylist()], np.int64)
    decided = core.decisions.as_of(version, FileKeys(ids, stored["content"].to_numpy()))
    given = _words(stored["label"])
    if source in (TAGS, NAMES):
        given = decided.first_tags if source == TAGS else decided.name
    corrected, either = (read(stored_source(source)) for read in (decided.labels_of, decided.eithers_of))
    label = np.where(pd.notna(corrected), corrected, given)
    return pd.DataFrame({"label": label, "either": either, "decision": decided.decision}, dtype=object)


def _words(column: pa.ChunkedArray) -> NDArray[np.object_]:
    return np.array([*column.cast(pa.string()).to_pylist(), None], object)[:-1]


def _rows(core: SetCore, stored: pa.Table, decided: pd.DataFrame) -> pd.DataFrame:
    """`Version.rows` from stored rows, and each row's label and decision."""
    paths = stored["path"].to_pylist()
    columns = {
        "id": np.array([image_id(path) for path in paths], np.int64),
        "path": np.array([display_name(path) for path in paths], object),
        "content": stored["content"].to_numpy(),
        "label": decided["label"].to_numpy(object),
        "either": decided["either"].to_numpy(object),
        "split": _words(stored["split"]),
        "decision": decided["decision"].to_numpy(object),
        "ambiguity": stored["ambiguity"].to_numpy(zero_copy_only=False).astype(np.float32),
    }
    if core.is_of_objects and set(BOX) <= set(stored.column_names):
        columns |= {PICTURE: np.array([display_name(picture_path(path)) for path in paths], object)}
        columns |= {name: stored[name].to_numpy() for name in BOX}
    return pd.DataFrame(columns)
