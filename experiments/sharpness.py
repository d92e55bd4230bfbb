"""Which measure detects a blurred photograph: `python -m experiments.sharpness --judged FOLDER --others FOLDER …`.

FOLDER of `--judged` is Grocery, whose pictures in blurred_pictures.csv were judged by eye: smeared by motion, out of
focus, slightly so, only the subject so, or sharp. "low" were among the lowest by seven measures of sharpness, "drawn"
from all others. Others are photographs that nobody judged. Some of the sharp ones, and of the others, are spoiled by a
known amount besides. The figures go to sharpness.json; `--table` prints its tables, one of them for docs/look.md.
"""

import csv
import io
import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import laplace
from skimage.measure import blur_effect
from typing_extensions import Doc

from experiments.spoiling import SPOILINGS
from training.command import command, markdown
from training.store import write_json
from url_viz.base.errors import FolderError
from url_viz.base.wording import decimal, percent, with_interval
from url_viz.evidence.order_metrics import Figure, auroc, auroc_by_blocks
from url_viz.findings.reasons import BLURRED, MOTION_BLUR, NAMES, measured_strengths, without_contradictions
from url_viz.imaging.decode import Preprocessing
from url_viz.imaging.quality import Quality, grey_thumbnail, quality_of_image, sharpness_of
from url_viz.imaging.scan import scan
from url_viz.imaging.workers import picture_of

FIGURES = Path(__file__).with_suffix(".json")
JUDGED = Path(__file__).with_name("blurred_pictures.csv")
UNSHARP = ("motion", "focus")
KINDS = ("motion", "focus", "slight", "subject", "sharp")
SOFT = (MOTION_BLUR, BLURRED)
SPOILED = ("motion", "out of focus")
FIRST, SECOND = "in each direction, of edges that rise along it", "before: highest thousandth, rows and columns"

Grey = NDArray[np.uint8]


@dataclass(frozen=True)
class SharpnessStudy:
    """Compare measures of sharpness on judged and on spoiled photographs."""

    judged: Annotated[Path | None, Doc("Folder of the pictures in blurred_pictures.csv.")] = None
    others: Annotated[tuple[Path, ...], Doc("Folders of photographs that nobody judged; give it again.")] = ()
    spoiled: Annotated[int, Doc("Pictures of each folder that are spoiled.")] = 120
    seed: Annotated[int, Doc("Which pictures are spoiled, and in which directions.")] = 0
    workers: Annotated[int, Doc("Processes.")] = 2
    json: Annotated[Path, Doc("The figures.")] = FIGURES
    table: Annotated[bool, Doc("Only print the tables of the figures that are there.")] = False


@dataclass(frozen=True)
class MeasureComparison:
    """One measure: AUC of the blurred against the sharp, and of the slightly blurred.

    At the bound under which half of the blurred lie: how many sharp ones and which shares of the pictures of other
    folders and of the spoiled do.
    """

    measure: str
    blurred: Figure
    slight: float
    sharp: int
    others: float
    spoiled: float


@dataclass(frozen=True)
class NamedCounts:
    """How many of `pictures` of a kind get each of the two reasons; `strength` is how much they were spoiled, if so."""

    data: str
    kind: str
    strength: float | None
    pictures: int
    smeared: int
    blurred: int


@dataclass(frozen=True)
class SharpnessFigures:
    """All figures."""

    config: dict[str, object]
    judged: dict[str, int]
    compared: tuple[MeasureComparison, ...]
    named: tuple[NamedCounts, ...]


@dataclass(frozen=True)
class PictureSharpness:
    """What one picture measures: `values` by MEASURES, and its quality."""

    values: dict[str, float]
    quality: Quality
    size: tuple[int, int]


def main(config: SharpnessStudy) -> None:
    """Measure, write the figures and print the tables; or only print them."""
    if not config.table:
        write_json(study_of(config), config.json)
    found = json.loads(config.json.read_text())
    print(f"{table_of_measures(found)}\n\n{table_of_reasons(found)}\n\n{table_of_spoiled(found)}")


def study_of(config: SharpnessStudy) -> SharpnessFigures:
    """Every measure on every picture, judged, spoiled and other."""
    if config.judged is None:
        raise FolderError("Give --judged FOLDER, the pictures that blurred_pictures.csv lists.")
    kinds = judged_kinds(JUDGED)
    with ProcessPoolExecutor(config.workers, get_context("spawn")) as pool:
        seen_by_all = partial(_seen_by_all, pool)
        judged = dict(zip(kinds, seen_by_all([config.judged / path for path in kinds]), strict=True))
        others = {folder.name: seen_by_all(pictures_in(folder)) for folder in config.others}
        sharp = [config.judged / path for path, kind in kinds.items() if kind == "sharp"]
        spoiled = {
            name: _spoiled(pool, files, config)
            for name, files in {
                config.judged.name: sharp,
                **{folder.name: pictures_in(folder) for folder in config.others},
            }.items()
        }
    by_kind = {kind: [judged[path] for path in kinds if kinds[path] == kind] for kind in KINDS}
    own = [one for strengths in spoiled[config.judged.name].values() for one in strengths]
    every = [one for seen in others.values() for one in seen]
    named = [_named(config.judged.name, kind, None, seen) for kind, seen in by_kind.items()]
    named += [_named(name, "all", None, seen) for name, seen in others.items()]
    named += [_named(name, how, strength, seen) for name, of in spoiled.items() for (how, strength), seen in of.items()]
    record: dict[str, object] = {"seed": config.seed, "spoiled": config.spoiled}
    compared = tuple(compare(name, by_kind, every, own) for name in MEASURES)
    return SharpnessFigures(record, {kind: len(seen) for kind, seen in by_kind.items()}, compared, tuple(named))


def judged_kinds(path: Path) -> dict[str, str]:
    """What each picture was judged to be, by its path in the folder."""
    with path.open(newline="") as file:
        return {row["path"]: row["judged"] for row in csv.DictReader(file)}


def pictures_in(folder: Path) -> list[Path]:
    """Its pictures, by path."""
    return sorted(folder / file.path.decode() for file in scan(folder).files)


def _seen_by_all(pool: ProcessPoolExecutor, files: Sequence[Path]) -> list[PictureSharpness]:
    return list(pool.map(_seen_file, files, chunksize=16))


def _seen_file(path: Path) -> PictureSharpness:
    return seen(path.read_bytes())


def seen(data: bytes) -> PictureSharpness:
    """What a file's thumbnail measures."""
    picture = picture_of(data, Preprocessing(), content=0)
    grey = grey_thumbnail(picture.thumbnail, width=picture.width, height=picture.height)
    values = {name: measure(np.asarray(grey)) for name, measure in MEASURES.items()}
    return PictureSharpness(values, quality_of_image(grey), (picture.width, picture.height))


def _spoiled(
    pool: ProcessPoolExecutor, files: Sequence[Path], config: SharpnessStudy
) -> dict[tuple[str, float], list[PictureSharpness]]:
    """Some of the pictures, spoiled in both ways at every strength; each its own direction."""
    rng = np.random.default_rng(config.seed)
    chosen = [files[place] for place in sorted(rng.permutation(len(files))[: config.spoiled])]
    found = {}
    for how in SPOILED:
        for strength in SPOILINGS[how].strengths:
            seeds = rng.integers(0, 2**31, len(chosen)).tolist()
            made = pool.map(partial(_seen_spoiled, how, strength), chosen, seeds, chunksize=8)
            found[how, strength] = list(made)
    return found


def _seen_spoiled(how: str, strength: float, path: Path, seed: int) -> PictureSharpness:
    image = Image.open(path).convert("RGB")
    spoiled = SPOILINGS[how].made(image, strength, np.random.default_rng(seed))
    return seen(as_file(spoiled))


def as_file(image: Image.Image) -> bytes:
    """A JPEG of good quality, as a camera writes it."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=92)
    return file.getvalue()


def compare(
    name: str,
    by_kind: Mapping[str, Sequence[PictureSharpness]],
    others: Sequence[PictureSharpness],
    spoiled: Sequence[PictureSharpness],
) -> MeasureComparison:
    """One measure on all pictures; where it cannot be measured, a picture counts as sharp."""
    blurred = np.concatenate([_values(name, by_kind[kind]) for kind in UNSHARP])
    slight, sharp = (_values(name, by_kind[kind]) for kind in ("slight", "sharp"))
    bound = float(np.median(blurred))
    score, is_blurred = -np.concatenate([blurred, sharp]), np.arange(len(blurred) + len(sharp)) < len(blurred)
    return MeasureComparison(
        name,
        auroc_by_blocks(score, is_blurred, np.arange(len(score))),
        auroc(-np.concatenate([slight, sharp]), np.arange(len(slight) + len(sharp)) < len(slight)),
        int((sharp <= bound).sum()),
        float((_values(name, others) <= bound).mean()),
        float((_values(name, spoiled) <= bound).mean()),
    )


def _values(name: str, seen: Sequence[PictureSharpness]) -> NDArray[np.float64]:
    values = np.array([one.values[name] for one in seen])
    return np.where(np.isnan(values), 1e9, values)


def _named(data: str, kind: str, strength: float | None, seen: Sequence[PictureSharpness]) -> NamedCounts:
    measured = measured_strengths(table_of([one.quality for one in seen], [one.size for one in seen]))
    given = without_contradictions(measured)
    smeared, blurred = (int((given[:, NAMES.index(name)] > 0).sum()) for name in SOFT)
    return NamedCounts(data, kind, strength, len(seen), smeared, blurred)


def table_of(qualities: Sequence[Quality], sizes: Sequence[tuple[int, int]]) -> pd.DataFrame:
    """A table of pictures of which nothing is known but what their thumbnails and files say."""
    unknown = ("confusability", "nearest_similarity", "first_share", "second_share")
    rows = [asdict(quality) | dict.fromkeys(unknown, math.nan) for quality in qualities]
    width, height = zip(*sizes, strict=True)
    return pd.DataFrame(rows).assign(width=width, height=height, twin_group=range(len(rows)))


def _before(grey: Grey) -> float:
    """Steepness over one pixel, over height over eight, of the highest thousandth of differences."""
    near, far = (_high(grey, 0.999, [(0, steps), (steps, 0)]) for steps in (1, 8))
    return near / max(far, 8)


def _of_four(grey: Grey) -> float:
    """The same of the highest two hundredth and over six pixels, in the least of four directions."""
    values = []
    for down, right, steps in ((0, 1, 6), (1, 1, 4), (1, 0, 6), (1, -1, 4)):
        near, far = (_high(grey, 0.995, [(down * k, right * k)]) for k in (1, steps))
        values.append(near / max(far, 8) / math.hypot(down, right))
    return min(values)


def _high(grey: Grey, quantile: float, shifts: Sequence[tuple[int, int]]) -> float:
    values = grey.astype(np.int16)
    height, width = grey.shape
    parts = []
    for down, right in shifts:
        later = values[down:, max(0, right) : width + min(0, right)]
        earlier = values[: height - down, max(0, -right) : width - max(0, right)]
        parts.append(np.abs(later - earlier).ravel())
    return float(np.quantile(np.concatenate(parts), quantile, method="higher"))


def _laplacian(grey: Grey) -> float:
    return float(laplace(grey.astype(np.float32)).var())


def _relative_laplacian(grey: Grey) -> float:
    return _laplacian(grey) / max(1.0, float(grey.astype(np.float32).var()))


def _re_blur(grey: Grey) -> float:
    return 1 - float(blur_effect(grey.astype(np.float32) / 255))


MEASURES: Mapping[str, Callable[[Grey], float]] = {
    "variance of the Laplacian": _laplacian,
    "the same over the picture's variance": _relative_laplacian,
    "re-blur (Crete et al., as in scikit-image)": _re_blur,
    SECOND: _before,
    "highest two hundredth, least of four directions": _of_four,
    FIRST: lambda grey: sharpness_of(grey).least,
}


def table_of_measures(found: dict[str, Any]) -> str:
    """The comparison of measures, as Markdown."""
    rows = []
    for one in found["compared"]:
        name = f"**{one['measure']}**" if one["measure"] == FIRST else one["measure"]
        blurred = with_interval(one["blurred"]["value"], **one["blurred"]["interval"])
        rows.append(
            [
                name,
                blurred,
                decimal(one["slight"]),
                str(one["sharp"]),
                percent(one["others"], digits=1),
                percent(one["spoiled"]),
            ]
        )
    judged = found["judged"]
    others = sum(one["pictures"] for one in found["named"] if one["kind"] == "all")
    return markdown(
        [
            "share that the steepest pixel has of an edge",
            f"AUC: blurred ({judged['motion'] + judged['focus']}) against sharp ({judged['sharp']})",
            f"slightly blurred ({judged['slight']})",
            "at half of the blurred: sharp ones",
            f"others ({others:,})",
            "spoiled",
        ],
        rows,
    )


def table_of_reasons(found: dict[str, Any]) -> str:
    """What is named, by how the pictures are, as Markdown."""
    rows = [
        [f"{one['data']}: {one['kind']}", f"{one['pictures']:,}", f"{one['smeared']:,}", f"{one['blurred']:,}"]
        for one in found["named"]
        if one["strength"] is None
    ]
    return markdown(["judged by eye; all of the others", "pictures", "motion blur", "blurred"], rows)


def table_of_spoiled(found: dict[str, Any]) -> str:
    """What is named of spoiled pictures: shares by strength, as Markdown."""
    rows = []
    for how in SPOILED:
        strengths = SPOILINGS[how].strengths
        for data in dict.fromkeys(one["data"] for one in found["named"]):
            of = {one["strength"]: one for one in found["named"] if (one["data"], one["kind"]) == (data, how)}
            cells = [_two(of[strength]) for strength in strengths]
            rows.append([f"{data}: {how}, {SPOILINGS[how].unit} {strengths[0]:g} to {strengths[-1]:g}", *cells])
    return markdown(["named motion blur / blurred", *(f"strength {place}" for place in range(1, 6))], rows)


def _two(one: dict[str, Any]) -> str:
    return " / ".join(decimal(one[name] / one["pictures"]) for name in ("smeared", "blurred"))


if __name__ == "__main__":
    sys.exit(command(SharpnessStudy, main))
