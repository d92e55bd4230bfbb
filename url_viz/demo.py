"""The demo image sets, built offline in seconds from what packages bring: handwritten digits, spoiled photographs.

The digits are scikit-learn's (UCI, CC BY 4.0), a class folder each. Of the spoiled photographs, a view's file name says
what was done to it and how strongly, so that anybody can see whether an order finds it; `measure` puts a number on it.
"""

import importlib.util
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from scipy.spatial.distance import cdist
from scipy.special import expit

from url_viz.base.errors import FolderError
from url_viz.base.workspace import Workspace
from url_viz.evidence.order_metrics import spearman
from url_viz.imaging.decode import decode, read_file

DIGITS, SPOILED = "digits", "pictures"
"""Their folders; the second has the name that it had when it was the only one."""
PER_DIGIT = 50
DIGIT_PX = 192
PAPER, INK = np.array((250, 247, 240)), np.array((34, 45, 78))
DARK_FROM, STEEP = 0.6, 60.0
"""Where paper turns to ink, as a fraction of full ink, and how sharply: strokes are thin, and holes stay open."""
INK_STEPS = 4096
PHOTOGRAPHS = {
    "skimage": (
        "data",
        "astronaut.png brick.png camera.png cell.png chelsea.png clock_motion.png coffee.png coins.png grass.png "
        "gravel.png hubble_deep_field.jpg ihc.png moon.png motorcycle_left.png page.png retina.jpg rocket.jpg",
    ),
    "sklearn": ("datasets/images", "china.jpg flower.jpg"),
}
LONG_SIDE_PX = 384
CROP_SIDES = (0.7, 0.5, 0.35, 0.25, 0.18, 0.12)
BLUR_RADII = (0.006, 0.012, 0.02, 0.035, 0.055, 0.08)
LIGHT = (0.6, 0.4, 0.27, 0.18, 0.12, 0.08)
READ_NOISE = 4.0
DONE = ".complete"


def build_demo(workspace: Workspace) -> Path:
    """The folder of the digits in this workspace, built if it is not there yet (about a second): 50 of each.

    Those that differ most, so that few are twins of each other; more of them are ambiguous than of all digits.
    """
    return _built(workspace.demo / DIGITS, _digits)


def build_spoiled(workspace: Workspace) -> Path:
    """The folder of the spoiled photographs in this workspace, built if it is not there yet (a few seconds)."""
    return _built(workspace.demo / SPOILED, _spoiled)


def _built(root: Path, pictures: Callable[[], Iterator[tuple[str, Image.Image]]]) -> Path:
    done = root / DONE
    if not done.exists():
        for path, image in pictures():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            image.save(root / path, quality=90)
        done.touch()
    return root


def _digits() -> Iterator[tuple[str, Image.Image]]:
    given = np.loadtxt(_package("sklearn") / "datasets/data/digits.csv.gz", delimiter=",")
    ink, digits = given[:, :-1], given[:, -1]  # by scikit-learn's `load_digits` it takes a second more, to import it
    for digit in range(10):
        rows = np.flatnonzero(digits == digit)
        for row in rows[_most_different(ink[rows], PER_DIGIT)]:
            yield f"{digit}/{row:04d}.jpg", _written(ink[row].reshape(8, 8))


def _most_different(points: NDArray[np.floating], count: int) -> list[int]:
    """The most central of some points (N, D), then always the one that is farthest from all that were chosen."""
    between = cdist(points, points)
    chosen = [int(between.sum(axis=1).argmin())]
    while len(chosen) < count:
        chosen.append(int(between[:, chosen].min(axis=1).argmax()))
    return chosen


def _written(ink: NDArray[np.floating]) -> Image.Image:
    """A digit from how much ink is in each of its cells (8, 8), 0 to 16, as strokes on paper."""
    smooth = Image.fromarray(ink.astype(np.float32)).resize((DIGIT_PX, DIGIT_PX), Image.Resampling.BICUBIC)
    step = np.clip(np.asarray(smooth) * (INK_STEPS / 16), 0, INK_STEPS).astype(np.uint16)
    return Image.fromarray(_shades().take(step, axis=0))


@cache
def _shades() -> NDArray[np.uint8]:
    """The colour of each amount of ink, in INK_STEPS from none to full."""
    share = expit(STEEP * (np.arange(INK_STEPS + 1)[:, None] / INK_STEPS - DARK_FROM))
    return np.asarray((PAPER + share * (INK - PAPER)).round(), np.uint8)


def _spoiled() -> Iterator[tuple[str, Image.Image]]:
    for path in photographs():
        for name, image in views(decode(read_file(bytes(path)))[0], seed=sum(path.stem.encode())):
            yield f"{path.stem}/{name}", image


def views(image: Image.Image, *, seed: int) -> Iterator[tuple[str, Image.Image]]:
    """The views of one photograph, whole, and six levels each of crop, blur and low light, by file names that say so.

    Names are for people and for `measure`: what was done, and how strongly (0 to 6).
    """
    rng = np.random.default_rng(seed)
    image.thumbnail((LONG_SIDE_PX, LONG_SIDE_PX))
    yield "whole-0.jpg", image
    ways: dict[str, tuple[tuple[float, ...], Callable[[float], Image.Image]]] = {
        "crop": (CROP_SIDES, lambda side: _cropped(image, side, rng)),
        "blur": (BLUR_RADII, lambda radius: image.filter(ImageFilter.GaussianBlur(radius * max(image.size)))),
        "dark": (LIGHT, lambda light: _darkened(image, light, rng)),
    }
    for kind, (strengths, change) in ways.items():
        for level, strength in enumerate(strengths, 1):
            yield f"{kind}-{level}.jpg", change(strength)


def degradations(table: pd.DataFrame) -> pd.DataFrame:
    """Kind and level of each row of the spoiled photographs' table, read from its path; index as `table`."""
    parts = table["path"].str.extract(r"([a-z]+)-(\d)\.jpg$")
    return pd.DataFrame({"kind": parts[0], "level": pd.to_numeric(parts[1])}, index=table.index)


def measure(
    table: pd.DataFrame, *, columns: tuple[str, ...] = ("ambiguity", "confusability", "uncertainty")
) -> pd.DataFrame:
    """Does a value find the degradation? Spearman of value and level within each photograph, averaged over photographs.

    One row per kind, one column a value; 1 is a perfect order, 0 none, −1 the reverse.
    """
    rows = table.assign(**degradations(table))
    result: dict[str, dict[str, float]] = {column: {} for column in columns}
    for kind in ("crop", "blur", "dark"):
        part = rows[rows["kind"].isin((kind, "whole"))]
        for column in columns:
            scored = part[np.isfinite(part[column].to_numpy(float))]
            within = [spearman(views_of[column], views_of["level"]) for _, views_of in scored.groupby("label")]
            result[column][kind] = float(pd.Series(within, dtype=float).mean())
    return pd.DataFrame(result)


def photographs() -> list[Path]:
    """The photographs that come with scikit-image and scikit-learn. Raises FolderError without the former."""
    places = [(_package(module) / folder, names.split()) for module, (folder, names) in PHOTOGRAPHS.items()]
    return [folder / name for folder, names in places for name in names if (folder / name).is_file()]


def _package(module: str) -> Path:
    """The folder of an installed package, which is not imported. Raises FolderError if it is not there."""
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise FolderError("The photographs come with scikit-image: `pip install scikit-image`, then the same again.")
    return Path(spec.submodule_search_locations[0])


def _cropped(image: Image.Image, side: float, rng: np.random.Generator) -> Image.Image:
    width, height = round(image.width * side), round(image.height * side)
    left = int(rng.integers(0, image.width - width + 1))
    top = int(rng.integers(0, image.height - height + 1))
    return image.crop((left, top, left + width, top + height)).resize(image.size, Image.Resampling.BICUBIC)


def _darkened(image: Image.Image, light: float, rng: np.random.Generator) -> Image.Image:
    """Less light, and the sensor's noise that does not get less with it."""
    values = np.asarray(image, np.float32) * light
    noisy = values + rng.normal(0, READ_NOISE, values.shape)
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))
