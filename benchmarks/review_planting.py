"""Photographs with faults planted: a folder of links in which some labels are wrong and some pictures useless."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image, ImageFilter

WRONG, BLANK, BLURRED, FOREIGN = "wrong label", "blank", "blurred", "of another set"
USELESS = (BLANK, BLURRED, FOREIGN)
NEAR = 29
"""A wrong label is the class of one of so many nearest pictures of other classes."""
BLUR = 0.08
"""The radius of a heavy blur, as a share of the shorter side."""
BLANK_NOISE = 2.0
"""Grey levels (standard deviation): a camera's blank pictures are not the same file either."""

Codes = NDArray[np.int32]


@dataclass(frozen=True)
class Photos:
    """N labelled photographs: `files`, `label` (N,) codes of `names`, and `whitened` (N, A) rows of length one."""

    name: str
    files: tuple[Path, ...]
    label: Codes
    names: tuple[str, ...]
    whitened: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.files)


def wrong_labels(
    label: Codes,
    whitened: NDArray[np.floating],
    *,
    share: float,
    rng: np.random.Generator,
    random_share: float = 0.0,
) -> Codes:
    """The labels (N,) with a `share` of them, drawn by `rng`, changed; whitened rows (N, A) of length one.

    Of those changed `random_share` become any other class, each as likely, the others the class of one of the NEAR
    nearest pictures of other classes.
    """
    planted, unit = label.copy(), whitened.astype(np.float32)
    chosen = rng.permutation(len(label))[: round(share * len(label))]
    at_random = round(random_share * len(chosen))
    for place, row in enumerate(chosen):
        if place < at_random:
            planted[row] = rng.choice(np.setdiff1d(label, label[row]))
            continue
        others = np.flatnonzero(label != label[row])
        nearest = others[np.argsort(-(unit[others] @ unit[row]), kind="stable")[:NEAR]]
        planted[row] = label[rng.choice(nearest)]
    return planted


def lay_out(
    folder: Path,
    photos: Photos,
    label: Codes,
    *,
    useless: int,
    strangers: tuple[Path, ...] = (),
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Make class folders in `folder` of links to the photographs under the labels (N,), and of useless pictures.

    A third of the `useless` ones each are blank, a heavy blur of a photograph, and one of the `strangers`. A blurred
    one lies in the class of its photograph, others in that of any photograph. Gives one row per picture: path (from
    the folder), truth (class; missing for a useless picture), and fault (WRONG, one of USELESS, or "").
    """
    rows: list[tuple[str, str | None, str]] = []
    for number, file in enumerate(photos.files):
        path = _place(folder, photos.names[label[number]], f"{number:06}{file.suffix}")
        path.symlink_to(file.resolve())
        is_wrong = label[number] != photos.label[number]
        rows.append((_within(path, folder), photos.names[photos.label[number]], WRONG if is_wrong else ""))
    for number, kind in enumerate(USELESS[i % len(USELESS)] for i in range(useless)):
        row = int(rng.integers(len(photos)))
        path = _place(folder, photos.names[photos.label[row]], f"{len(photos) + number:06}.jpg")
        _write_useless(path, kind, photos.files[row], strangers, rng)
        rows.append((_within(path, folder), None, kind))
    return pd.DataFrame(rows, columns=["path", "truth", "fault"])


def _place(folder: Path, label: str, name: str) -> Path:
    (folder / label).mkdir(parents=True, exist_ok=True)
    return folder / label / name


def _within(path: Path, folder: Path) -> str:
    return os.fspath(path.relative_to(folder))


def _write_useless(path: Path, kind: str, photo: Path, strangers: tuple[Path, ...], rng: np.random.Generator) -> None:
    if kind == FOREIGN:
        shutil.copyfile(strangers[int(rng.integers(len(strangers)))], path)
        return
    with Image.open(photo) as opened:
        image = opened.convert("RGB")
    blurred = ImageFilter.GaussianBlur(BLUR * min(image.size))
    (blank(*image.size, rng) if kind == BLANK else image.filter(blurred)).save(path, quality=90)


def blank(width: int, height: int, rng: np.random.Generator) -> Image.Image:
    """A picture of one grey, from black to white, with a camera's noise."""
    grey = rng.uniform(0, 255) + rng.normal(0, BLANK_NOISE, (height, width, 3))
    return Image.fromarray(grey.clip(0, 255).astype(np.uint8))
