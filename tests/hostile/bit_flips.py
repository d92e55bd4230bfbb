"""Flip single bits in the files of a workspace, and tell what comes of each.

That is nothing, a sentence, rows of a table that are others until `mend`, or silent damage.
"""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from tests.conftest import dice_head
from tests.imaging.pictures import write_folder
from url_viz.base.errors import UrlVizError
from url_viz.base.workspace import Workspace
from url_viz.cli.main import main
from url_viz.image_set import ImageSet, open_image_set
from url_viz.models.head import save_head
from url_viz.models.model import load_model
from url_viz.reading import embed_folder
from url_viz.store.sets import repair

COUNT = 12
READ = "read"
"""What is shown of a picture that the model reads once more."""
Kind = Literal["same", "told", "mended", "silent", "raw"]
Shown = dict[str, Any]

_SET = "workspace/sets/*/"
_MODEL = "workspace/models/*/"
FILES = (
    *(f"{_SET}tables/{table}*.lance/data/*" for table in ("images", "embeddings", "scores", "graph")),
    *(f"{_SET}tables/{table}*.lance/data/*" for table in ("whitening-", "whitened-")),
    *(f"{_SET}tables/{table}*.lance/data/*" for table in ("coordinates", "measures", "images", "embeddings")),
    *(
        f"{_SET}tables/*.lance/_versions/*",
        f"{_SET}tables/*.lance/_deletions/*",
        f"{_SET}tables/*.lance/checksums.json",
    ),
    *(f"{_SET}{name}" for name in ("decisions.db", "decisions.db", "decisions.json", "decisions.copy.db")),
    *(
        f"{_SET}{name}"
        for name in ("derived/*/*.arrow", "columns/*.parquet", "labels.json", "set.json", "set.copy.json")
    ),
    *(f"{_MODEL}{name}" for name in ("graph.xml", "graph.bin", "about.json", "compiled-*/*", "compiled-*.json")),
    *("workspace/workspace.json", "workspace/heads/*.safetensors"),
)
"""Patterns of files that are drawn from with equal chances; then one of its files, and one of the bits of that."""


@dataclass(frozen=True)
class Flip:
    """What came of one flipped bit: where it was, and the sentence or error where there was one."""

    seed: int
    file: str
    bit: int
    kind: Kind
    said: str = ""


def make(here: Path, models: Path) -> None:
    """A workspace of every kind of file below `here`: `models` is a folder with the default model prepared."""
    home = Workspace.at(here / "workspace")
    shutil.copytree(models, home.models)
    save_head(dice_head(), home.heads / "dice.safetensors")
    write_folder(here / "pictures", COUNT, classes=("cat", "dog"))
    model = load_model(_head(here), device="cpu", workspace=home.root)
    write_folder(here / "pictures", 2, start=COUNT)  # which go again, so that there are lists of deleted rows
    embed_folder(here / "pictures", model=model, workspace=home.root)
    for number in (COUNT, COUNT + 1):
        (here / "pictures" / f"{number:04d}.jpg").unlink()
    image_set = embed_folder(here / "pictures", model=model, workspace=home.root)
    paths = image_set.table()["path"].tolist()
    table = pd.DataFrame(
        {"path": paths, "score": np.arange(COUNT) / 7, "breed": [f"breed {i % 3}" for i in range(COUNT)]}
    )
    table.to_csv(here / "own.csv", index=False)
    image_set.columns.add(here / "own.csv")
    image_set.labels.use("breed")
    ids = image_set.table()["id"].tolist()
    image_set.decisions.decide(ids[:5], "drop")
    image_set.decisions.tag(ids[3:8], "blurred")
    image_set.labels.give({ids[9]: "breed 7", ids[10]: "breed 1"})
    image_set.decisions.decide(ids[6:9], "look-again")


def _head(here: Path) -> str:
    return str(here / "workspace" / "heads" / "dice.safetensors")


def look(here: Path, *, with_model: bool) -> Shown:
    """All that a user is shown of the image set, and of one picture with the model."""
    image_set = open_image_set(here / "pictures", model=_head(here), workspace=here / "workspace")
    table = image_set.table()
    ids = table["id"].tolist()
    graph = image_set.core.graph
    assert graph is not None
    shown: Shown = {column: table[column].tolist() for column in table.columns}
    shown |= {"embeddings": image_set.embeddings().tolist(), "search": image_set.search(ids[0], k=5).to_dict()}
    shown |= {"position": graph.position.tolist(), "similarity": graph.similarity.tolist()}
    shown |= {
        "thumbnails": sorted(image_set.core.store.thumbnails(ids).items()),
        "failures": image_set.failures().to_dict(),
    }
    shown |= {
        "root": str(image_set.root),
        "sources": image_set.labels.chosen,
        "tags": image_set.decisions.tag_counts(),
    }
    shown |= _undone(image_set)
    if with_model:
        read = load_model(_head(here), device="cpu", workspace=here / "workspace").predict(
            [here / "pictures/cat/0000.jpg"]
        )
        shown |= {READ: (read.embedding.tolist(), read.uncertainty.tolist(), read.entropy.tolist())}
    return shown


def _undone(image_set: ImageSet) -> Shown:
    """What undoing the last action says and does; it is done again."""
    said = image_set.decisions.undo()
    shown = {"undone": said and said.sentence, "before": image_set.table()["decision"].tolist()}
    said = image_set.decisions.redo()
    return shown | {"redone": said and said.sentence, "after": image_set.table()["decision"].tolist()}


def differing(first: Shown, second: Shown) -> list[str]:
    """The names of what is not shown alike."""
    return [name for name in {**first, **second} if repr(first.get(name)) != repr(second.get(name))]


def flip_one(whole: Path, here: Path, *, seed: int, before: Shown) -> Flip:
    """Flip one bit of a copy of `whole` at `here`, look, and where something is told, take the way out that is named.

    Where rows of a table are others, that is `mend`, although nothing is told. `before` is what is shown of `whole`.
    Raises AssertionError where the way out does not lead there.
    """
    rng = np.random.default_rng(seed)
    pattern = FILES[rng.integers(len(FILES))]
    touches_model = pattern.startswith((_MODEL, "workspace/heads"))
    if not touches_model:
        before = {name: value for name, value in before.items() if name != READ}
    _copy(whole, here, with_model=touches_model)
    files = sorted(path for path in here.glob(pattern) if path.is_file() and path.stat().st_size)
    path = files[rng.integers(len(files))]
    bit = int(rng.integers(8 * path.stat().st_size))
    _flip(path, bit)
    name = str(path.relative_to(here / "workspace"))
    try:
        now = look(here, with_model=touches_model)
    except UrlVizError as error:
        _take_way_out(here, path, str(error), before, with_model=touches_model)
        return Flip(seed, name, bit, "told", str(error))
    except BaseException as error:  # a panic of native code is no Exception
        if isinstance(error, KeyboardInterrupt):
            raise
        return Flip(seed, name, bit, "raw", repr(error))
    differ = differing(before, now)
    if differ and path.match("tables/*/data/*"):
        _take_way_out(here, path, "url-viz sets repair FOLDER", before, with_model=touches_model)
        return Flip(seed, name, bit, "mended", ", ".join(differ))
    return Flip(seed, name, bit, "silent" if differ else "same", ", ".join(differ))


def _copy(whole: Path, here: Path, *, with_model: bool) -> None:
    """Copy the workspace; its models only where one of their files is to be flipped, the pictures not at all."""
    (here / "workspace").mkdir(parents=True)
    (here / "pictures").symlink_to(whole / "pictures")
    for entry in (whole / "workspace").iterdir():
        target = here / "workspace" / entry.name
        if entry.name == "models" and not with_model:
            target.symlink_to(entry)
        elif entry.is_dir():
            shutil.copytree(entry, target)
        else:
            shutil.copy2(entry, target)


def _flip(path: Path, bit: int) -> None:
    """Flip one bit of a file and leave its time as it was, as rot does."""
    status = path.stat()
    with path.open("r+b") as file:
        file.seek(bit // 8)
        byte = file.read(1)[0]
        file.seek(bit // 8)
        file.write(bytes([byte ^ 1 << bit % 8]))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _take_way_out(here: Path, path: Path, said: str, before: Shown, *, with_model: bool) -> None:
    """Do what a sentence says; everything but what it gives up must be there again, decisions always."""
    given_up: set[str] = set()
    for words, way in _WAYS:
        if words in said:
            given_up = way(here, path)
            break
    else:
        raise AssertionError(f"no way out: {said}")
    after = look(here, with_model=with_model)
    left = set(differing(before, after)) - given_up
    assert not left, (said, left)


def _mend(here: Path, path: Path) -> set[str]:
    assert repair(here / "pictures", workspace=here / "workspace"), "mend found nothing"
    embed_folder(
        here / "pictures", model=load_model(_head(here), workspace=here / "workspace"), workspace=here / "workspace"
    )
    if "tables" not in path.parts:
        return set()
    return {"x", "y", "search", *_ROUNDED, *(_FITTED if path.match("tables/[ew]*.lance/*/*") else ())}


_ROUNDED = {
    "ambiguity",
    "first_share",
    "second_share",
    "embeddings",
    "similarity",
    "uncertainty",
    "entropy",
    "inverse_norm",
    "nearest_similarity",
    "confusability",
}
"""What a picture that is read again has but for the last digits: the batch that it is read in is another."""
_FITTED = {"position", "reasons", "ambiguity_percentile", "confusability_percentile"}
"""What is another where embeddings, or their whitened space, are made again: that was fitted to pictures now gone."""


_CLASSES = {"ambiguity", "ambiguity_percentile", "first_class", "second_class", "first_share", "second_share"}
_OF_LABELS = {"label", "label_given", "label_checked", "sources", "search", "reasons", *_CLASSES}


def _labels(here: Path, path: Path) -> set[str]:
    assert main(["labels", "use", str(here / "pictures"), "folders", "--workspace", str(here / "workspace")]) == 0
    return set(_OF_LABELS)


def _columns(here: Path, path: Path) -> set[str]:
    assert main(["columns", "remove", str(here / "pictures"), "own", "--workspace", str(here / "workspace")]) == 0
    main(["labels", "use", str(here / "pictures"), "folders", "--workspace", str(here / "workspace")])
    return {*_OF_LABELS, "score", "breed"}


def _remove_label(here: Path, path: Path) -> set[str]:
    path.unlink()
    return set()


def _put_back_head(here: Path, path: Path) -> set[str]:
    save_head(dice_head(), path)
    return set()


_WAYS: tuple[tuple[str, Callable[[Path, Path], set[str]]], ...] = (
    ("url-viz sets repair FOLDER", _mend),
    ("url-viz labels use FOLDER folders", _labels),
    ("url-viz columns remove FOLDER own", _columns),
    ("remove that file, which is written again", _remove_label),
    ("Train or download it again", _put_back_head),
    ("Give a file written by training.train", _put_back_head),
)
