"""The folder of checkpoints in a workspace: its files, what each of them is, and which are the paper's models."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from url_viz.errors import ModelError, WeightsUnavailableError
from url_viz.models.names import FINETUNED_SUFFIXES, PAPERS, paper_named
from url_viz.workspace import Workspace

if TYPE_CHECKING:
    from url_viz.models.recognise import Recognised

BESIDE_A_HEAD = ".backbone.safetensors"
"""The ending of a backbone that belongs to the head beside it, and is no model of its own."""


@dataclass(frozen=True)
class Found:
    """A file of the folder: what it is, or `why` it cannot be read."""

    path: Path
    is_what: "Recognised | None"
    why: str = ""


def found_checkpoints(workspace: Workspace) -> tuple[Found, ...]:
    """Every file of weights in the folder of checkpoints and in the folders in it, by path."""
    return tuple(_found(path) for path in _files(workspace.checkpoints))


def checkpoint_names(workspace: Workspace) -> list[str]:
    """The names that open what lies in the folder of checkpoints."""
    return names_in(found_checkpoints(workspace))


def papers_in(found: Sequence[Found]) -> dict[str, Path]:
    """The file of each of the paper's models, by its short name: the first by its path, where there are several."""
    files = {one.is_what.paper: one.path for one in reversed(found) if one.is_what is not None}
    return {paper: files[paper] for paper in PAPERS if paper in files}


def names_in(found: Sequence[Found]) -> list[str]:
    """The names that open these files; the paper's models by their short names."""
    papers = papers_in(found)
    others = (one.is_what for one in found if one.path not in papers.values())
    return [*papers, *(what.name for what in others if what is not None)]


def opened_by(name: str, workspace: Workspace) -> str:
    """`name`, or the path of its file where it is the short name of a paper's model.

    Raises WeightsUnavailableError if no such file is in the folder of checkpoints: what to download, and where to.
    """
    named = paper_named(name)
    if named is None:
        return name
    paper, more = named
    path = papers_in(found_checkpoints(workspace)).get(paper.name)
    if path is None:
        raise WeightsUnavailableError(
            f"{name!r} is not on this machine. {paper.how_to_get(workspace.checkpoints)} {paper.about}."
        )
    return f"{path}{more}"


def _files(folder: Path) -> list[Path]:
    try:
        inside = sorted(folder.iterdir())
        deeper = [path for one in inside if one.is_dir() for path in sorted(one.iterdir())]
    except OSError:  # no such folder, or one that may not be read
        return []
    return sorted(path for path in [*inside, *deeper] if _is_weights(path) and not path.is_dir())


def _is_weights(path: Path) -> bool:
    return path.name.endswith(FINETUNED_SUFFIXES) and not path.name.endswith(BESIDE_A_HEAD)


def _found(path: Path) -> Found:
    try:
        status = path.stat()
    except OSError as error:
        return Found(path, None, f"{str(path)!r} cannot be read: {error.strerror}.")
    return _read(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=256)
def _read(path: Path, size_bytes: int, written_ns: int) -> Found:
    """What a file is; read again only if it was written again."""
    from url_viz.models.recognise import recognised  # torch and timm, which an empty folder does not need

    try:
        return Found(path, recognised(path))
    except ModelError as error:
        return Found(path, None, str(error))
