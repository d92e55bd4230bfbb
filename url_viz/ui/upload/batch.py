"""The uploads of a session: files and zip members, scored once each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import streamlit as st
from streamlit.typing import UploadedFile

from url_viz.base.errors import FolderError
from url_viz.columns.second_model import SecondModelChoice
from url_viz.image_set import ImageSet
from url_viz.imaging.rendering import Rendering
from url_viz.imaging.scan import display_name
from url_viz.imaging.uploaded_files import (
    Incoming,
    IncomingFile,
    RefusedFile,
    ZipMember,
    is_ignored,
    open_archive,
)
from url_viz.models.model import EmbeddingSpace
from url_viz.outside.uploads import NewPicture, score
from url_viz.ui.open_sets import running_model
from url_viz.ui.session import Key, SetChoice

UPLOADS: "Key[tuple[UploadedFile, ...]]" = Key("upload.files")
UPLOADS_SCORED: "Key[dict[tuple[str, str], NewPicture | RefusedFile]]" = Key("upload.outcomes")

SCORED_AT_ONCE = 32

Outcome = NewPicture | RefusedFile


@dataclass(frozen=True)
class UploadBatch:
    """The uploads: `files` and `scored` correspond row by row; `refused` are files that could not be read.

    Their `rendering` is that of the image set that they are compared with.
    """

    key: str
    files: tuple[Incoming, ...]
    scored: tuple[NewPicture, ...]
    refused: tuple[RefusedFile, ...]
    rendering: Rendering | None = None


def scored_batch(files: Sequence[UploadedFile], now: SetChoice, image_set: ImageSet | None) -> UploadBatch:
    """Score the files that were not scored before, with progress, by the chosen model and the set's second one."""
    incoming, refused = _unpacked(files)
    space = image_set.space if image_set is not None else None
    second = image_set.core.second if image_set is not None else None
    outcomes = _outcomes(incoming, now.model, space, second)
    scored = {key: outcome for key, outcome in outcomes.items() if isinstance(outcome, NewPicture)}
    return UploadBatch(
        key="|".join([now.model, second.judges if second is not None else "", *incoming]),
        files=tuple(incoming[key] for key in scored),
        scored=tuple(scored.values()),
        refused=(*refused, *(outcome for outcome in outcomes.values() if isinstance(outcome, RefusedFile))),
        rendering=image_set.core.rendering if image_set is not None else None,
    )


def _unpacked(files: Sequence[UploadedFile]) -> tuple[dict[str, Incoming], list[RefusedFile]]:
    """Every file and every member of a zip, by a key unique in the session; and those refused unread."""
    incoming: dict[str, Incoming] = {}
    refused: list[RefusedFile] = []
    for file in files:
        name = shown_name(file.name)
        if "/" in name and is_ignored(name):  # a folder's hidden files, which a scan skips too
            continue
        if not name.lower().endswith(".zip"):
            incoming[file.file_id] = IncomingFile(name, file.getvalue())
            continue
        try:
            members, others = open_archive(name, file.getvalue())
        except FolderError as error:
            refused.append(RefusedFile(name, str(error)))
            continue
        for number, member in enumerate(members):
            named = ZipMember(shown_name(member.name), member.archive, member.info)
            incoming[f"{file.file_id}/{number}"] = named
        refused += [RefusedFile(shown_name(member.name), member.reason) for member in others]
    return incoming, refused


def shown_name(name: str) -> str:
    """A file name as printable text: odd characters escaped."""
    return display_name(name.encode("utf-8", "surrogateescape"))


def score_for_all(
    files: Sequence[Incoming], model: str, space: EmbeddingSpace | None, *, second: SecondModelChoice | None = None
) -> list[Outcome]:
    """Score files with the models that all sessions share, in the rendering and precision of a set's space."""
    opened = partial(partial, running_model, space=space)
    if second is None or second.name is None:
        return score(files, opened(model))
    return score(files, opened(model), second=opened(second.name), looks_twice=second.looks_twice)


def _outcomes(
    incoming: Mapping[str, Incoming], model: str, space: EmbeddingSpace | None, second: SecondModelChoice | None
) -> dict[str, Outcome]:
    """The outcome of each file by its key, stored in the session after every batch: a rerun continues there."""
    by = "|".join([model, second.judges if second is not None else "", space.key if space is not None else ""])
    stored = UPLOADS_SCORED.get() or {}
    outcomes = {key: stored[by, key] for key in incoming if (by, key) in stored}
    waiting = [key for key in incoming if key not in outcomes]
    bar = st.progress(0.0, text="Loading the model") if waiting else st.empty()
    for start in range(0, len(waiting), SCORED_AT_ONCE):
        part = waiting[start : start + SCORED_AT_ONCE]
        scored = score_for_all([incoming[key] for key in part], model, space, second=second)
        outcomes |= zip(part, scored, strict=True)
        UPLOADS_SCORED.set({(by, key): outcome for key, outcome in outcomes.items()})
        bar.progress(len(outcomes) / len(incoming), text=f"Scoring pictures · {len(outcomes):,} of {len(incoming):,}")
    bar.empty()
    UPLOADS_SCORED.set({(by, key): outcome for key, outcome in outcomes.items()})
    return {key: outcomes[key] for key in incoming}
