"""The uploads of a session: files and zip members, scored once each."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st
from streamlit.typing import UploadedFile

from url_viz.analysis.uploads import Refused, Scored, also_embedded, read_all, score_read
from url_viz.errors import FolderError
from url_viz.image_set import ImageSet
from url_viz.imaging.scan import display_name
from url_viz.imaging.uploaded_files import (
    Incoming,
    IncomingFile,
    RefusedMember,
    ZipMember,
    is_ignored,
    is_zip,
    open_archive,
)
from url_viz.models.runtime import Precision
from url_viz.ui.open_sets import running_model
from url_viz.ui.session import UPLOADS, UPLOADS_SCORED, SetChoice

SCORED_AT_ONCE = 32

Outcome = Scored | Refused


@dataclass(frozen=True)
class Item:
    """One file to score; `key` is unique among the uploads of the session."""

    key: str
    file: Incoming


@dataclass(frozen=True)
class UploadBatch:
    """The uploads: `files` and `scored` correspond row by row; `refused` are files that could not be read."""

    key: str
    files: tuple[Incoming, ...]
    scored: tuple[Scored, ...]
    refused: tuple[Refused | RefusedMember, ...]

    def __post_init__(self) -> None:
        assert len(self.files) == len(self.scored)


def uploaded() -> tuple[UploadedFile, ...]:
    """The uploaded files of this session."""
    return UPLOADS.get() or ()


def scored_batch(files: Sequence[UploadedFile], now: SetChoice, image_set: ImageSet | None) -> UploadBatch:
    """Score the files with the chosen model, with progress; files scored before are not scored again.

    Also with the second model, where one has its say in the image set.
    """
    items, refused = _unpacked(files)
    precision = image_set.space.precision if image_set is not None else "fast"
    second = image_set.second.name if image_set is not None else None
    outcomes = _outcomes(items, now.model, precision, second)
    good = [(item.file, outcome) for item, outcome in zip(items, outcomes, strict=True) if isinstance(outcome, Scored)]
    bad = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
    return UploadBatch(
        key="|".join([now.model, second or "", *(item.key for item in items)]),
        files=tuple(file for file, _ in good),
        scored=tuple(outcome for _, outcome in good),
        refused=(*refused, *bad),
    )


def _unpacked(files: Sequence[UploadedFile]) -> tuple[list[Item], list[Refused | RefusedMember]]:
    """Every file and every member of a zip; second, those that are refused without trying to read them."""
    items: list[Item] = []
    refused: list[Refused | RefusedMember] = []
    for file in files:
        name = shown_name(file.name)
        if "/" in name and is_ignored(name):  # a folder's hidden files, which a scan skips too
            continue
        if not is_zip(name):
            items.append(Item(file.file_id, IncomingFile(name, file.getvalue())))
            continue
        try:
            archive = open_archive(name, file.getvalue())
        except FolderError as error:
            refused.append(Refused(name, str(error)))
            continue
        items += [_item(file.file_id, number, member) for number, member in enumerate(archive.members)]
        refused += [RefusedMember(shown_name(member.name), member.reason) for member in archive.refused]
    return items, refused


def _item(file_id: str, number: int, member: ZipMember) -> Item:
    return Item(f"{file_id}/{number}", ZipMember(shown_name(member.name), member.archive, member.info))


def shown_name(name: str) -> str:
    """A file name as printable text: odd characters escaped."""
    return display_name(name.encode("utf-8", "surrogateescape"))


def score_for_all(
    files: Sequence[Incoming], model: str, precision: Precision, *, second: str | None = None
) -> list[Outcome]:
    """Score files with the models that all sessions share; they are free for others while files are read."""
    names = [model] if second is None else [model, second]
    sheets = []
    for name in names:
        with running_model(name, precision=precision) as running:
            sheets.append(running.space.preprocessing)
    readings = read_all(files, sheets[0], also=sheets[1:])
    with running_model(model, precision=precision) as running:
        scored = score_read(files, readings, running)
    if second is None:
        return scored
    with running_model(second, precision=precision) as running:
        return also_embedded(scored, readings, running)


def _outcomes(items: Sequence[Item], model: str, precision: Precision, second: str | None) -> list[Outcome]:
    """One outcome per item; stored in the session after every batch, so that a rerun continues there."""
    space = f"{model}|{second or ''}|{precision}"
    before = UPLOADS_SCORED.get() or {}
    known = {key: before[key] for key in ((space, item.key) for item in items) if key in before}
    waiting = [item for item in items if (space, item.key) not in known]
    bar = st.progress(0.0, text="Loading the model") if waiting else None
    for start in range(0, len(waiting), SCORED_AT_ONCE):
        part = waiting[start : start + SCORED_AT_ONCE]
        scored = score_for_all([item.file for item in part], model, precision, second=second)
        known = known | {(space, item.key): outcome for item, outcome in zip(part, scored, strict=True)}
        UPLOADS_SCORED.set(known)
        done = len(items) - len(waiting) + start + len(part)
        assert bar is not None
        bar.progress(done / len(items), text=f"Scoring pictures · {done:,} of {len(items):,}")
    if bar is not None:
        bar.empty()
    UPLOADS_SCORED.set(known)
    return [known[space, item.key] for item in items]
