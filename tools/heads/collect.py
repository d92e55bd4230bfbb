"""Selection, scaling and labelling of pictures from unpacked packages."""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from tools.heads.resources import resources_of
from training.data.pictures import Labelled
from url_viz.errors import ImageError
from url_viz.imaging.decode import decode, read_file
from url_viz.imaging.scan import EXTENSIONS

SHORT_SIDE_PX = 512
"""Largest short side of a stored picture: twice a backbone's input."""
LONGEST_ASPECT = 3.0
LEAST_CONTRAST = 8.0
"""Pictures whose grey values have a smaller standard deviation (of 255) are plain areas."""

_PIECE = re.compile(r"_[a-z]?\d+$")

NO_PICTURES = re.compile(
    r"(norm(al)?|_n|_nm|_nor|bump|gloss|spec(ular)?|_s|_h|height|alpha|mask|shadow|lightmap|displace|_pc|font\w*)$",
    re.IGNORECASE,
)
"""Names of a game's shading maps, which are not pictures for people."""


@dataclass(frozen=True)
class Drawn:
    """One picture of a labelled set that is not a separate file: its class and its pixels."""

    label: str
    image: Image.Image


def pictures_of(root: Path) -> list[Path]:
    """Raster files below `root` that are pictures, one per run of numbered frames, sorted."""
    first_frames: dict[tuple[Path, str], Path] = {}
    for path in sorted(root.rglob("*")):
        is_file = path.is_file() and not path.is_symlink()
        if is_file and path.suffix.lower().encode() in EXTENSIONS and not NO_PICTURES.search(path.stem):
            first_frames.setdefault((path.parent, re.sub(r"[\d_@x-]+$", "", path.stem) or path.stem), path)
    return list(first_frames.values())


def spread(paths: Iterable[Path], most: int, *, root: Path) -> list[Path]:
    """At most `most` of the paths, drawn by a hash of their names below `root`: the same ones on every machine."""
    by_hash = sorted(paths, key=lambda path: hashlib.sha256(os.fsencode(path.relative_to(root))).digest())
    return by_hash[:most]


def read(path: Path, *, least_side_px: int) -> Image.Image | None:
    """The picture at `path`, its short side at most SHORT_SIDE_PX; None if it is left out.

    Left out are unreadable files, small, very long and plain pictures.
    """
    try:
        image, _ = decode(read_file(os.fsencode(path)), short_side_px=SHORT_SIDE_PX)
    except ImageError:
        return None
    short, long = sorted(image.size)
    is_plain = np.asarray(image.convert("L").resize((64, 64))).std() < LEAST_CONTRAST
    if short < least_side_px or long > LONGEST_ASPECT * short or is_plain:
        return None
    return scaled_down(image)


def scaled_down(image: Image.Image) -> Image.Image:
    """`image` with its short side at most SHORT_SIDE_PX."""
    share = SHORT_SIDE_PX / min(image.size)
    return image if share >= 1 else image.resize((round(image.width * share), round(image.height * share)))


def windows(path: Path, count: int, *, seed: int) -> list[Image.Image]:
    """`count` windows of a picture, sides 15 % to 50 % of its short side, log-uniform; none if it is unreadable."""
    try:
        image, _ = decode(read_file(os.fsencode(path)))
    except ImageError:
        return []
    generator = np.random.default_rng([seed, *hashlib.sha256(os.fsencode(path.name)).digest()[:4]])
    cut = []
    for share in np.exp(generator.uniform(np.log(0.15), np.log(0.5), count)):
        side = max(8, int(share * min(image.size)))
        left, top = (int(generator.integers(0, whole - side + 1)) for whole in image.size)
        cut.append(scaled_down(image.crop((left, top, left + side, top + side))))
    return cut


def save(image: Image.Image, path: Path) -> None:
    """Write `image` as a JPEG of high quality."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, "JPEG", quality=93)


def by_icon_name(roots: Mapping[str, Path], *, least_themes: int) -> list[Labelled]:
    """Icons of several themes (name → folder), each theme's largest of each name; the class is the icon's name.

    Names with the same bytes in some theme are one class, named by the first of them; the same bytes are
    used once. Classes left in fewer than `least_themes` themes are left out.
    """
    largest: dict[tuple[str, str], Path] = {}
    for theme, root in roots.items():
        for path in sorted(root.rglob("*.png")):
            if path.is_file() and path.stat().st_size > largest_size(largest.get((path.stem, theme))):
                largest[(path.stem, theme)] = path.resolve()
    of_bytes: dict[bytes, list[tuple[str, str]]] = {}
    for key, path in sorted(largest.items()):
        of_bytes.setdefault(hashlib.sha256(path.read_bytes()).digest(), []).append(key)
    first_name = _joined_names([[name for name, _ in keys] for keys in of_bytes.values()])
    themes_of: dict[str, dict[Path, str]] = {}
    for (name, theme), *_ in of_bytes.values():
        themes_of.setdefault(first_name[name], {})[largest[(name, theme)]] = theme
    return [
        Labelled(name, path)
        for name, themes in sorted(themes_of.items())
        if len(set(themes.values())) >= least_themes
        for path in themes
    ]


def _joined_names(groups: Iterable[list[str]]) -> dict[str, str]:
    """For each name, the first of all names that are connected to it by shared groups."""
    leader: dict[str, str] = {}

    def led(name: str) -> str:
        while leader.setdefault(name, name) != name:
            name = leader[name]
        return name

    for names in groups:
        first = min(led(name) for name in names)
        for name in names:
            leader[led(name)] = first
    return {name: led(name) for name in list(leader)}


def largest_size(path: Path | None) -> int:
    """The size of a file in bytes; 0 for none."""
    return path.stat().st_size if path else 0


def by_folder(root: Path, *, most_a_class: int) -> list[Labelled]:
    """Pictures labelled by their first folder below `root`, at most so many per class, classes of one left out."""
    labelled: list[Labelled] = []
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        chosen = spread(pictures_of(folder), most_a_class, root=root)
        labelled += [Labelled(folder.name, path) for path in chosen] if len(chosen) > 1 else []
    return labelled


def by_card(root: Path, *, sets: int) -> list[Labelled]:
    """Playing cards of PySol's card sets below `root`: the class is rank and suit, `sets` sets of French cards."""
    labelled: list[Labelled] = []
    complete = [
        folder
        for folder in sorted(root.iterdir())
        if (folder / "config.txt").is_file() and len(list(folder.glob("[01][0-9][cdhs].*"))) == 52
    ]
    for folder in spread(complete, sets, root=root):
        labelled += [Labelled(path.stem, path) for path in sorted(folder.glob("[01][0-9][cdhs].*"))]
    return labelled


def by_catalog(root: Path) -> list[Labelled]:
    """Furniture of Sweet Home 3D's catalogues below `root`: the class is the catalogue's category."""
    labelled: list[Labelled] = []
    for catalog in sorted(root.rglob("PluginFurnitureCatalog.properties")):
        entries = dict(re.findall(r"^([^#=\s][^=]*)=(.*)$", catalog.read_text("latin-1"), re.MULTILINE))
        for key, icon in entries.items():
            if key.startswith("icon#"):
                path = catalog.parent / icon.strip().lstrip("/")
                labelled.append(Labelled(entries[f"category#{key[5:]}"].strip(), path))
    return labelled


def by_file_name(folders: Iterable[Path]) -> list[Labelled]:
    """PNGs of several folders; the class is the file's name, and names that are not in all folders are left out."""
    paths_by_name = [{path.stem: path for path in folder.glob("*.png")} for folder in folders]
    shared = sorted(set.intersection(*(set(by_name) for by_name in paths_by_name)))
    return [Labelled(name, by_name[name]) for name in shared for by_name in paths_by_name]


def by_parent(root: Path, *, least: int, most_a_class: int) -> list[Labelled]:
    """Pictures labelled by their folder, `most_a_class` at most; classes of fewer than `least` are left out."""
    folders: dict[Path, list[Path]] = {}
    for path in pictures_of(root):
        folders.setdefault(path.parent, []).append(path)
    labelled: list[Labelled] = []
    for folder, paths in sorted(folders.items()):
        name = "-".join(folder.relative_to(root).parts)
        chosen = spread(paths, most_a_class, root=root)
        labelled += [Labelled(name, path) for path in chosen] if len(chosen) >= least and name else []
    return labelled


def pieces_of(packs: Iterable[Path]) -> Iterator[Drawn]:
    """The numbered pieces (`NAME_b3.webp`) of whole pictures in Qt's resource files; the class is the whole's name."""
    for pack in packs:
        for resource in sorted(resources_of(pack), key=lambda resource: resource.path):
            stem = Path(resource.path).stem
            if resource.path.endswith(".webp") and _PIECE.search(stem):
                yield Drawn(_PIECE.sub("", stem), scaled_down(decode(resource.data)[0]))
