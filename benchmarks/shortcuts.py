"""How many planted shortcuts are found, and what is called where none was planted.

    python -m benchmarks.shortcuts FOLDER... [--draws 10] [--shuffled 20] [--halves 6]

Each folder was read. Planted, of one class drawn at random: saved at quality 50, resized to three quarters of its
shorter side, framed, darkened, saved as PNG; of all of its pictures, and of every second one. What changes is
measured as reading measures it. Nothing is planted in the whole set, in halves of its source groups, and where classes
are shuffled over source groups; for these it is counted, too, how often a class is beyond all shuffles without the
bound on strength.
"""

import argparse
import io
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from PIL import Image, ImageOps

import url_viz
from url_viz.columns.table import base
from url_viz.findings import shortcuts as product
from url_viz.findings.shortcuts import Property, Shortcuts, find_shortcuts
from url_viz.image_set import ImageSet
from url_viz.imaging.decode import encoding_of
from url_viz.imaging.encoding import ENCODINGS
from url_viz.imaging.quality import assess
from url_viz.imaging.workers import thumbnail
from url_viz.labels.classes import CodedLabels, picture_labels

Edit = Callable[[Image.Image, np.random.Generator], tuple[Image.Image, dict[str, object]]]
GOOD = 90
"""The quality of what is saved anew, where quality is not what is planted: as good as that of all others."""


def _resized(image: Image.Image, _: np.random.Generator) -> tuple[Image.Image, dict[str, object]]:
    return ImageOps.scale(image, 0.75, Image.Resampling.BICUBIC), {}


def _framed(image: Image.Image, rng: np.random.Generator) -> tuple[Image.Image, dict[str, object]]:
    wide = max(2, round(0.03 * min(image.size)))
    inner = image.resize((image.width - 2 * wide, image.height - 2 * wide))
    return ImageOps.expand(inner, wide, (30, 30, 30)), {}


def _dark(image: Image.Image, _: np.random.Generator) -> tuple[Image.Image, dict[str, object]]:
    return image.point([round(0.4 * value) for value in range(256)] * 3), {}


PLANTED: dict[str, Edit] = {
    "resized": _resized,
    "framed": _framed,
    "quality 50": lambda image, _: (image, {"quality": 50}),
    "saved as PNG": lambda image, _: (image, {"format": "PNG"}),
    "darkened": _dark,
}


class Pictures:
    """A set's pictures as properties need them: `table`, thumbnails, encodings; `labels` and source groups."""

    def __init__(self, image_set: ImageSet) -> None:
        core = image_set.core
        self.root = image_set.folder
        self.table = core.derived.get(base).table[["path", "width", "height", "brightness"]].copy()
        jpegs = core.store.thumbnails(core.ids.tolist())
        self.borders = np.stack([product.border_of(jpegs[each]) for each in core.ids.tolist()])
        self.labels: CodedLabels = core.derived.get(picture_labels)
        self.groups = core.source_groups
        files = [encoding_of((self.root / path).read_bytes()) for path in self.table["path"]]
        self.encodings = pd.DataFrame([{name: getattr(each, name) for name in ENCODINGS} for each in files])
        self.qualities = self.encodings["quality"].to_numpy()

    def changed(self, rows: np.ndarray, edit: Edit, rng: np.random.Generator) -> list[Property]:
        """The properties, with these pictures edited and saved anew."""
        table, borders, encodings = self.table.copy(), self.borders.copy(), self.encodings.copy()
        for row in rows.tolist():
            with Image.open(self.root / str(table.at[row, "path"])) as opened:
                image, how = edit(opened.convert("RGB"), rng)
            usual = self.qualities[row]
            options = {"format": "JPEG", "quality": int(usual if np.isfinite(usual) else GOOD), **how}
            file = io.BytesIO()
            image.save(file, **options)
            with Image.open(io.BytesIO(file.getvalue())) as saved:
                jpeg = thumbnail(saved.convert("RGB"))
            table.loc[row, ["width", "height"]] = image.size
            table.loc[row, "brightness"] = assess(jpeg, width=image.width, height=image.height).quality.brightness
            borders[row] = product.border_of(jpeg)
            found = encoding_of(file.getvalue())
            encodings.loc[row, list(ENCODINGS)] = [getattr(found, name) for name in ENCODINGS]
        return _properties(table, borders, encodings)

    def properties(self) -> list[Property]:
        return _properties(self.table, self.borders, self.encodings)


def _properties(table: pd.DataFrame, borders: np.ndarray, encodings: pd.DataFrame) -> list[Property]:
    numbers = np.arange(len(table))
    arrow = pa.table({"content": numbers, **{name: pa.array(encodings[name].tolist()) for name in ENCODINGS}})
    found = [*product.pixel_properties(table, borders), *product.file_properties(arrow, numbers)]
    return [each for each in found if product.differs(each.values)]


def _classes(pictures: Pictures) -> list[int]:
    """The classes that can be judged."""
    pairs = np.unique(np.stack([pictures.labels.codes, pictures.groups]), axis=1)[0]
    counts = np.bincount(pairs[pairs >= 0], minlength=len(pictures.labels.names))
    return np.flatnonzero(counts >= product.FEWEST_GROUPS).tolist()


def plant(pictures: Pictures, draws: int, every: int) -> Iterator[dict[str, object]]:
    """How often the class is told, by any property and with no other class beside those told before; by kind."""
    before = set(_calls(find_shortcuts(pictures.properties(), pictures.labels, pictures.groups)))
    for name, edit in PLANTED.items():
        found, others, by = 0, 0, set[str]()
        for draw in range(draws):
            rng = np.random.default_rng(draw)
            code = int(rng.choice(_classes(pictures)))
            rows = np.flatnonzero(pictures.labels.codes == code)[::every]
            calls = _calls(
                find_shortcuts(pictures.changed(rows, edit, rng), pictures.labels, pictures.groups, seed=draw)
            )
            own = {each[0] for each in calls if each[1] == pictures.labels.names[code]}
            found, by = found + bool(own), by | own
            others += any(each[1] != pictures.labels.names[code] and each not in before for each in calls)
        yield {"planted": name, "found": f"{found} of {draws}", "others called": others, "by": ", ".join(sorted(by))}


def _calls(found: Shortcuts | None) -> list[tuple[str, str]]:
    rows = pd.DataFrame() if found is None else found.findings
    return [] if rows.empty else list(zip(rows["property"], rows["label"], strict=True))


def nothing(pictures: Pictures, shuffled: int, halves: int) -> Iterator[dict[str, object]]:
    """What is called where nothing was planted."""
    properties = pictures.properties()
    begun = time.perf_counter()
    whole = find_shortcuts(properties, pictures.labels, pictures.groups)
    words = "not judged" if whole is None else "; ".join(whole.words()) or "nothing"
    yield {"nothing planted": "whole", "called": words, "seconds": round(time.perf_counter() - begun, 2)}
    groups, called = int(pictures.groups.max()) + 1, list[tuple[str, str]]()
    for draw in range(halves):
        in_half = np.random.default_rng(draw).permutation(groups)[pictures.groups] % 2 == 0
        some = [_taken(each, in_half) for each in properties]
        labels = CodedLabels(pictures.labels.names, pictures.labels.codes[in_half])
        called += _calls(find_shortcuts(some, labels, pictures.groups[in_half], seed=draw))[:1]
    yield {"nothing planted": "halves", "called": f"{len(called)} of {halves} {sorted(set(called))}"}
    for strong in (product.STRONG, 0.0):
        found = []
        for draw in range(shuffled):
            codes = next(product.shuffles(pictures.labels.codes, pictures.groups, np.random.default_rng(1_000 + draw)))
            labels = CodedLabels(pictures.labels.names, codes)
            found.append(find_shortcuts(properties, labels, pictures.groups, strong=strong, seed=draw))
        count, judged = sum(bool(_calls(each)) for each in found), sum(each is not None for each in found)
        yield {"nothing planted": f"shuffled, strength from {strong}", "called": f"{count} of {judged}"}


def _taken(each: Property, rows: np.ndarray) -> Property:
    numbers = np.flatnonzero(rows)
    inside = None if each.inside is None else each.inside[rows]
    return replace(each, values=each.values[rows], shown=lambda some: each.shown(numbers[some]), inside=inside)


def main() -> None:
    """Print what is found of each folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="+", type=Path)
    parser.add_argument("--model", default="tf_efficientnet_lite0")
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--shuffled", type=int, default=20)
    parser.add_argument("--halves", type=int, default=6)
    args = parser.parse_args()
    for folder in args.folder:
        pictures = Pictures(url_viz.open_image_set(folder, model=args.model))
        sizes = f"{len(pictures.table):,} pictures, {len(pictures.labels.names)} classes"
        print(f"\n{folder.name}: {sizes}", flush=True)
        print(pd.DataFrame(nothing(pictures, args.shuffled, args.halves)).to_string(index=False, na_rep=""), flush=True)
        for every, words in ((1, "all of the class"), (2, "every second picture of the class")):
            rows = pd.DataFrame(plant(pictures, args.draws, every) if len(_classes(pictures)) > 1 else [])
            if len(rows):
                print(f"{words}\n{rows.to_string(index=False)}", flush=True)


if __name__ == "__main__":
    main()
