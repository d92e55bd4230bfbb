"""Annotation files with hostile values anywhere: each is a sentence, or every object is a row or a failure."""

import copy
import json
import math
import random
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.annotated_sets import KINDS, write_annotated
from url_viz.base.errors import FolderError, ImageError
from url_viz.imaging.places import picture_path
from url_viz.imaging.source import Objects
from url_viz.store.columns.source_columns import _annotation_columns

HOSTILE: tuple[Any, ...] = (
    *(None, True, -1, 0, 1 << 70, 10**400, 1e308, -1e308, 1e-320, math.nan, math.inf, "", " ", "cat", "1", "#", "a#1"),
    *(
        "%23",
        "../x",
        "/etc/passwd",
        "\0",
        "\ud800",
        "\u202e",
        "a\nb",
        "x" * 5_000,
        [],
        {},
        [[1]],
        [0, 0, 1, 1],
        {"a": 1},
    ),
    *({"a": 1}, [1e308] * 4, [math.nan] * 4, ["1"] * 4, [0, 0, -1, 5], {"size": [1, 1], "counts": [1 << 40]}),
)
SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.torture) for seed in range(1, 40))]
MUTANTS = 40


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of every value in a document."""
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield (*path, key)
        yield from places(value[key], (*path, key))


def mutated(document: Any, rng: random.Random) -> Any:
    """A document with some values replaced, taken out, or doubled."""
    changed = copy.deepcopy(document)
    for _ in range(rng.randint(1, 4)):
        every = [*places(changed)]
        if not every:
            break
        *above, key = rng.choice(every)
        at = changed
        for step in above:
            at = at[step]
        kind = rng.randrange(4)
        if kind == 0 and isinstance(at, list):
            at.insert(key, copy.deepcopy(at[key]))
        elif kind == 1:
            del at[key]
        else:
            at[key] = copy.deepcopy(rng.choice(HOSTILE))
    return changed


def as_xml(data: bytes, rng: random.Random) -> bytes:
    """An XML file with a number, a name or some bytes replaced."""
    text = data.decode()
    pieces = text.replace(">", ">\0").replace("<", "\0<").split("\0")
    at = rng.randrange(len(pieces))
    hostile = rng.choice(["nan", "inf", "1e308", "-5", "", "x" * 3_000, "&lt;a&gt;", "é\u200d", "<object>", "</name>"])
    pieces[at] = hostile if rng.random() < 0.7 else pieces[rng.randrange(len(pieces))]
    return "".join(pieces).encode(rng.choice(["utf-8", "utf-8", "utf-16"]))


def check(path: Path) -> str:
    """What became of a file: "refused", or "read", where all that is listed can be read or says why not."""
    try:
        source = Objects(path)
        files = source.list().files
    except FolderError:
        return "refused"
    places_ = [file for file in files if file.place is not None]
    assert len({file.path for file in places_}) == len(places_) == len(source.facts)
    assert all(picture_path(file.path) == file.file for file in places_)
    for file in files:
        with suppress(ImageError):
            assert source.read(file)
    said = _annotation_columns(list(source.facts.values()))
    assert len(said) == len(source.facts)
    assert all(name.encode() for name in said["class"])
    return "read"


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_mutant_is_a_sentence_or_rows(tmp_path: Path, kind: Any, seed: int) -> None:
    root, rng = write_annotated(tmp_path / "set", kind), random.Random(seed)
    file = root / {"VOC": "Annotations/1.xml", "LabelMe": "1.json"}.get(kind, "")
    sound, labels = file.read_bytes(), tmp_path / "set" / "labels" / "1.txt"
    document, lines = yaml.safe_load(sound) if kind != "VOC" else None, kind == "YOLO" and labels.read_text()
    found = []
    for _ in range(MUTANTS):
        if kind == "VOC":
            file.write_bytes(as_xml(sound, rng))
        elif lines and rng.random() < 0.5:
            words = lines.split(" ")
            words[rng.randrange(len(words))] = rng.choice(["1e308", "nan", "-1", "x", "9" * 400, "", "0 0"])
            labels.write_text(" ".join(words))
        else:
            file.write_text(json.dumps(mutated(document, rng)))
        found.append(check(root))
    assert "read" in found
