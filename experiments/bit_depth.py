"""What pictures of more than 8 bits lose: `python -m experiments.bit_depth --data FOLDER --data FOLDER`.

The photographs of each folder are made grey and stored as instruments do: 10, 12 and 14 bits in 16, a thermal
camera's 7,000 to 8,500, fractions to 0.3, signed integers with an offset. Each is read by the default model, as a set
of its own, in the range that is found, and in all that its numbers can hold. Its recall@1 in the whitened space is
compared with that of 8 bits, picture by picture (95 % intervals over pictures). The figures go to bit_depth.json;
`--table` prints the table that docs/instruments.md quotes.
"""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image
from typing_extensions import Doc

from training.command import command, markdown
from training.store import write_json
from url_viz.base.errors import UsageError
from url_viz.base.wording import decimal
from url_viz.image_set import ImageSet
from url_viz.imaging.rendering import Rendering
from url_viz.imaging.scan import scan
from url_viz.metrics import recall_at_1
from url_viz.reading import embed_folder

FIGURES = Path(__file__).with_suffix(".json")
DRAWS, SEED, LONG_SIDE_PX = 2000, 0, 512
STORED: Mapping[str, Callable[[NDArray[np.float64]], NDArray[Any]]] = {
    "8 bits": lambda grey: (255 * grey).round().astype(np.uint8),
    "10 bits in 16": lambda grey: (1023 * grey).round().astype(np.uint16),
    "12 bits in 16": lambda grey: (4095 * grey).round().astype(np.uint16),
    "14 bits in 16": lambda grey: (16383 * grey).round().astype(np.uint16),
    "thermal, 7,000 to 8,500": lambda grey: (7000 + 1500 * grey).round().astype(np.uint16),
    "fractions to 0.3": lambda grey: (0.3 * grey).astype(np.float32),
    "signed, from −1,024": lambda grey: (4095 * grey - 1024).round().astype(np.int16),
}
WHOLE = {"fractions to 0.3": Rendering(0, 1), "signed, from −1,024": Rendering(-32768, 32767)}
"""All that the numbers can hold; of the others all of 16 bits."""


@dataclass(frozen=True)
class BitDepthStudy:
    """Measure what pictures of more than 8 bits lose in the range of a set, and in all that numbers can hold."""

    data: Annotated[tuple[Path, ...], Doc("Folder with class folders; give it again for more.")] = ()
    limit: Annotated[int, Doc("Pictures of each folder.")] = 450
    table: Annotated[bool, Doc("Print the table of the figures that are there.")] = False


def stored(folder: Path, out: Path, limit: int) -> dict[str, Path]:
    """The same pictures as sets, by how they are stored."""
    files = scan(folder).files
    drawn = np.sort(np.random.default_rng(SEED).permutation(len(files))[:limit])
    for number in drawn.tolist():
        path = Path(files[number].path.decode())
        with Image.open(folder / path) as image:
            image.draft("L", (LONG_SIDE_PX, LONG_SIDE_PX))
            grey = image.convert("L")
        grey.thumbnail((LONG_SIDE_PX, LONG_SIDE_PX))
        for kind, as_stored in STORED.items():
            file = (out / kind / path).with_suffix(".tif")
            file.parent.mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(file, as_stored(np.asarray(grey) / 255))
    return {kind: out / kind for kind in STORED}


def is_right(image_set: ImageSet) -> NDArray[np.bool_]:
    """Whether the nearest picture of each is of its class, in the order of paths."""
    table = image_set.table()
    order = np.argsort(table["path"].to_numpy())
    codes = np.unique(table["label"].to_numpy(), return_inverse=True)[1]
    return np.asarray(recall_at_1(image_set.core.whitened.rows, codes)[1])[order]


def figure(found: NDArray[np.bool_], plain: NDArray[np.bool_]) -> dict[str, Any]:
    """Recall@1, and its difference to that of 8 bits with a 95 % interval over pictures."""
    difference = found.astype(float) - plain
    drawn = np.random.default_rng(SEED).integers(0, len(found), (DRAWS, len(found)))
    low, high = np.percentile(difference[drawn].mean(axis=1), (2.5, 97.5)).tolist()
    return {"recall": float(found.mean()), "difference": float(difference.mean()), "low": low, "high": high}


def measured(folder: Path, limit: int) -> dict[str, Any]:
    """The figures of one folder, by how its pictures are stored."""
    with TemporaryDirectory() as temporary:
        sets = stored(folder, Path(temporary), limit)
        figures: dict[str, Any] = {}
        plain = None
        for kind, root in sets.items():
            home = Path(temporary, "home")
            found = embed_folder(root, workspace=home)
            plain = is_right(found) if plain is None else plain
            figures[kind] = {
                "range": found.core.rendering and found.core.rendering.range,
                "in it": figure(is_right(found), plain),
            }
            if found.core.rendering is not None:
                whole = WHOLE.get(kind, Rendering(0, 65535))
                without = embed_folder(root, workspace=home / "whole", rendering=whole)
                figures[kind]["in all"] = figure(is_right(without), plain)
        return figures


def table(figures: Mapping[str, Any]) -> str:
    """A row a way of storing, columns a set."""

    def cell(found: Mapping[str, Any] | None) -> str:
        if found is None:
            return ""
        return (
            f"{decimal(found['recall'])}, {found['difference']:+.3f} [{found['low']:+.3f}, {found['high']:+.3f}]"
        ).replace("-", "−")

    head = ["stored as", *(f"{name}, {how}" for name in figures for how in ("in the set's range", "in all of 16 bits"))]
    rows = [
        [kind, *(cell(of[kind].get(how)) for of in figures.values() for how in ("in it", "in all"))] for kind in STORED
    ]
    return markdown(head, rows)


def main(config: BitDepthStudy) -> None:
    """Measure, and write the figures; or print them."""
    if config.table:
        print(table(json.loads(FIGURES.read_text())))
        return
    if not config.data:
        raise UsageError("Give folders with class folders (--data FOLDER), or --table.")
    figures = {}
    for folder in config.data:
        figures[folder.name] = measured(folder, config.limit)
        write_json(figures, FIGURES)
        print(folder.name, json.dumps(figures[folder.name], indent=1), flush=True)


if __name__ == "__main__":
    sys.exit(command(BitDepthStudy, main))
