"""The demo image set: photographs that come with dependencies, as views of known degradation, built offline in seconds.

One class folder a photograph. A view's file name says what was done to it and how strongly, so that everybody can see
whether uncertainty and confusability find it; `measure` puts a number on that.
"""

import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageFilter

from url_viz.analysis.order_metrics import spearman
from url_viz.errors import FolderError
from url_viz.imaging.decode import decode, read_file
from url_viz.workspace import Workspace

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


@dataclass(frozen=True)
class DemoView:
    """One view: what was done (`whole`, `crop`, `blur`, `dark`) and how strongly (0 to 6)."""

    kind: str
    level: int
    image: Image.Image

    @property
    def file_name(self) -> str:
        """Says both, for people and for `measure`."""
        return f"{self.kind}-{self.level}.jpg"


def build_demo(workspace: Workspace) -> Path:
    """The folder of the demo pictures in this workspace, built if it is not there yet (a few seconds)."""
    root = workspace.demo / "pictures"
    done = root / DONE
    if not done.exists():
        for photograph in _photographs():
            folder = root / photograph.stem
            folder.mkdir(parents=True, exist_ok=True)
            for view in views(_opened(photograph), seed=_seed(photograph)):
                view.image.save(folder / view.file_name, quality=90)
        done.touch()
    return root


def demo_view(path: str) -> Image.Image:
    """One picture of the demo set by its path there, "coins/blur-4.jpg", made without the others being written.

    Raises FolderError if there is none.
    """
    stem, _, file_name = path.partition("/")
    for photograph in _photographs():
        if photograph.stem == stem:
            for view in views(_opened(photograph), seed=_seed(photograph)):
                if view.file_name == file_name:
                    return view.image
    raise FolderError(f"There is no demo picture {path!r}. Give PHOTOGRAPH/KIND-LEVEL.jpg, such as coins/blur-4.jpg.")


def photograph_names() -> list[str]:
    """The names of the photographs that are there, by name: the classes of the demo set."""
    return sorted(photograph.stem for photograph in _photographs())


def views(image: Image.Image, *, seed: int) -> Iterator[DemoView]:
    """The views of one photograph: whole, and six levels each of crop, blur and low light."""
    rng = np.random.default_rng(seed)
    image.thumbnail((LONG_SIDE_PX, LONG_SIDE_PX))
    yield DemoView("whole", 0, image)
    ways: dict[str, tuple[tuple[float, ...], Callable[[float], Image.Image]]] = {
        "crop": (CROP_SIDES, lambda side: _cropped(image, side, rng)),
        "blur": (BLUR_RADII, lambda radius: image.filter(ImageFilter.GaussianBlur(radius * max(image.size)))),
        "dark": (LIGHT, lambda light: _darkened(image, light, rng)),
    }
    for kind, (strengths, change) in ways.items():
        for level, strength in enumerate(strengths, 1):
            yield DemoView(kind, level, change(strength))


def degradations(table: pd.DataFrame) -> pd.DataFrame:
    """Kind and level of each row of the demo set's table, read from its path; index as `table`."""
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


def _photographs() -> list[Path]:
    found = []
    for module, (folder, names) in PHOTOGRAPHS.items():
        spec = importlib.util.find_spec(module)
        if spec is not None and spec.submodule_search_locations:
            base = Path(spec.submodule_search_locations[0]) / folder
            found += [base / name for name in names.split() if (base / name).is_file()]
    if not found:
        raise FolderError("The demo photographs come with scikit-image and scikit-learn; neither is installed.")
    return found


def _opened(path: Path) -> Image.Image:
    return decode(read_file(bytes(path)))[0]


def _seed(path: Path) -> int:
    return sum(path.stem.encode())


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
