"""How many planted copies of photographs are found to be pairs, kind by kind, and which pairs are called beside them.

    python -m benchmarks.near_copies FOLDER OUT [--copies 40] [--pairs 100]

OUT/pictures gets links to all pictures of FOLDER, and below `planted/KIND` copies of some drawn ones: resized, saved
anew, toned, cropped, mirrored, turned, framed, written upon. The folder is read as any other, and each copy counts as
found if its graph has the pair with the original, by cosine alone or by both witnesses; intervals are Wilson's, of
95 %. Of the pairs called among the photographs themselves some are drawn into OUT/sheet.png, to be judged by eye.
"""

import argparse
import io
import math
import os
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont

from url_viz.image_set import ImageSet
from url_viz.imaging.scan import scan
from url_viz.reading import embed_folder

PLANTED = "planted"
QUALITY = 90
COSINE = 0.96
"""From this raw cosine on, cosine alone would call pairs copies."""
TILE_PX, COLUMNS = 140, 5
FOUR = ("half the size", "JPEG 40", "15 % brighter", "cropped by 5 %")
"""The four kinds that the bounds are promised for."""

Edit = Callable[[Image.Image, random.Random], Image.Image]


def _sized(share: float, *, wider: float = 1) -> Edit:
    return lambda image, _: image.resize(
        (max(1, round(wider * share * image.width)), max(1, round(share * image.height))), Image.Resampling.BICUBIC
    )


def _toned(how: Callable[[Image.Image], ImageEnhance._Enhance], factor: float) -> Edit:
    return lambda image, _: how(image).enhance(factor)


def _gamma(power: float) -> Edit:
    return lambda image, _: image.point([round(255 * (value / 255) ** power) for value in range(256)] * 3)


def _warm(image: Image.Image, _: random.Random) -> Image.Image:
    toned = np.asarray(image, float) * (1.12, 1, 0.86)
    return Image.fromarray(toned.clip(0, 255).astype(np.uint8))


def _cut(share: float, *, at: tuple[float, float]) -> Edit:
    """Without so much of width and height, of which these parts, 0 to 1, are taken off on the left and above."""

    def edit(image: Image.Image, _: random.Random) -> Image.Image:
        width, height = (round((1 - share) * length) for length in image.size)
        left, top = (round(part * share * length) for part, length in zip(at, image.size, strict=True))
        return image.crop((left, top, left + width, top + height))

    return edit


def _cropped(share: float) -> Edit:
    """Without so much of width and height, at a place drawn at random."""

    def edit(image: Image.Image, rng: random.Random) -> Image.Image:
        width, height = (round((1 - share) * length) for length in image.size)
        left, top = rng.randint(0, image.width - width), rng.randint(0, image.height - height)
        return image.crop((left, top, left + width, top + height))

    return edit


def _framed(share: float, colour: str) -> Edit:
    def edit(image: Image.Image, _: random.Random) -> Image.Image:
        rim = round(share * min(image.size))
        framed = Image.new("RGB", (image.width + 2 * rim, image.height + 2 * rim), colour)
        framed.paste(image, (rim, rim))
        return framed

    return edit


def _turned(degrees: float) -> Edit:
    return lambda image, rng: image.rotate(degrees * rng.choice((-1, 1)), Image.Resampling.BICUBIC)


def _written_upon(image: Image.Image, _: random.Random) -> Image.Image:
    written, size = image.copy(), max(8, image.width // 8)
    place = image.width / 10, 3 * image.height / 4
    ImageDraw.Draw(written).text(place, "SAMPLE 2026", fill="white", font=ImageFont.load_default(size))
    return written


def _noisy(image: Image.Image, rng: random.Random) -> Image.Image:
    noise = np.random.default_rng(rng.randrange(1 << 30)).normal(0, 12, (image.height, image.width, 3))
    return Image.fromarray((np.asarray(image, float) + noise).clip(0, 255).astype(np.uint8))


def _same(image: Image.Image, _: random.Random) -> Image.Image:
    return image


def _mirrored(image: Image.Image, _: random.Random) -> Image.Image:
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def _grey(image: Image.Image, _: random.Random) -> Image.Image:
    return image.convert("L").convert("RGB")


def _blurred(image: Image.Image, _: random.Random) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(1.5))


def _in_turn(*edits: Edit) -> Edit:
    def edit(image: Image.Image, rng: random.Random) -> Image.Image:
        for one in edits:
            image = one(image, rng)
        return image

    return edit


KINDS: dict[str, tuple[Edit, str, int]] = {
    "half the size": (_sized(1 / 2), "JPEG", QUALITY),
    "a third": (_sized(1 / 3), "JPEG", QUALITY),
    "a quarter": (_sized(1 / 4), "JPEG", QUALITY),
    "JPEG 70": (_same, "JPEG", 70),
    "JPEG 40": (_same, "JPEG", 40),
    "JPEG 25": (_same, "JPEG", 25),
    "JPEG 10": (_same, "JPEG", 10),
    "PNG": (_same, "PNG", 0),
    "WebP 50": (_same, "WEBP", 50),
    "15 % brighter": (_toned(ImageEnhance.Brightness, 1.15), "JPEG", QUALITY),
    "40 % brighter": (_toned(ImageEnhance.Brightness, 1.4), "JPEG", QUALITY),
    "30 % darker": (_toned(ImageEnhance.Brightness, 0.7), "JPEG", QUALITY),
    "contrast 1.5": (_toned(ImageEnhance.Contrast, 1.5), "JPEG", QUALITY),
    "contrast 1.3": (_toned(ImageEnhance.Contrast, 1.3), "JPEG", QUALITY),
    "contrast .6": (_toned(ImageEnhance.Contrast, 0.6), "JPEG", QUALITY),
    "gamma .6": (_gamma(0.6), "JPEG", QUALITY),
    "gamma 1.6": (_gamma(1.6), "JPEG", QUALITY),
    "warm tone": (_warm, "JPEG", QUALITY),
    "grey": (_grey, "JPEG", QUALITY),
    "blurred": (_blurred, "JPEG", QUALITY),
    "noise": (_noisy, "JPEG", QUALITY),
    "15 % wider": (_sized(1, wider=1.15), "JPEG", QUALITY),
    "text": (_written_upon, "JPEG", QUALITY),
    "black frame of 5 %": (_framed(0.05, "black"), "JPEG", QUALITY),
    "white frame of 3 %": (_framed(0.03, "white"), "JPEG", QUALITY),
    "mirrored": (_mirrored, "JPEG", QUALITY),
    "mirrored, half the size": (_in_turn(_mirrored, _sized(1 / 2)), "JPEG", QUALITY),
    "turned by 2°": (_turned(2), "JPEG", QUALITY),
    "turned by 5°": (_turned(5), "JPEG", QUALITY),
    "cropped by 3 %": (_cropped(0.03), "JPEG", QUALITY),
    "5 % off at a corner": (_cut(0.05, at=(1, 1)), "JPEG", QUALITY),
    "5 % off all round": (_cut(0.05, at=(0.5, 0.5)), "JPEG", QUALITY),
    "5 % off each side": (_cut(0.1, at=(0.5, 0.5)), "JPEG", QUALITY),
    "cropped by 5 %": (_cropped(0.05), "JPEG", QUALITY),
    "cropped by 8 %": (_cropped(0.08), "JPEG", QUALITY),
    "cropped by 10 %": (_cropped(0.10), "JPEG", QUALITY),
    "cropped by 15 %": (_cropped(0.15), "JPEG", QUALITY),
}
"""What is made of a picture, in which format it is saved, and its quality."""


def copy_of(image: Image.Image, kind: str, *, seed: int) -> bytes:
    """A copy of this kind, as a file."""
    edit, kind_of_file, quality = KINDS[kind]
    file = io.BytesIO()
    edit(image.convert("RGB"), random.Random(f"{kind} {seed}")).save(file, kind_of_file, quality=quality)
    return file.getvalue()


def plant(pictures: Sequence[Path], out: Path, *, copies: int) -> dict[str, str]:
    """Link the pictures into `out`, and plant copies of some of them; the names of the originals by their copies'."""
    originals: dict[str, str] = {}
    for number, picture in enumerate(pictures):
        link = out / f"{number:06}{picture.suffix}"
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.exists():
            link.symlink_to(picture.resolve())
    for number in random.Random(0).sample(range(len(pictures)), min(copies, len(pictures))):
        with Image.open(pictures[number]) as image:
            for kind in KINDS:
                file = out / PLANTED / kind / f"{number:06}.{KINDS[kind][1].lower()}"
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(copy_of(image, kind, seed=number))
                originals[str(file.relative_to(out))] = f"{number:06}{pictures[number].suffix}"
    return originals


Pairs = dict[frozenset[str], float]


def called_pairs(image_set: ImageSet) -> Pairs:
    """The names of each pair of twins, and their cosine."""
    graph, table = image_set.core.graph, image_set.table()
    assert graph is not None
    path = dict(zip(image_set.core.contents.tolist(), table["path"], strict=True))
    names = [path[content] for content in graph.content.tolist()]
    both = zip(graph.twins.pair.tolist(), graph.twins.cosine.tolist(), strict=True)
    return {frozenset((names[one], names[other])): cosine for (one, other), cosine in both}


def wilson(found: int, count: int) -> tuple[float, float]:
    """The interval of 95 % of a share."""
    z, share = 1.96, found / count
    middle, spread = share + z * z / 2 / count, z * math.sqrt(share * (1 - share) / count + (z / 2 / count) ** 2)
    return tuple(max(0, min(1, (middle + side * spread) / (1 + z * z / count))) for side in (-1, 1))  # type: ignore[return-value]


def show_found(originals: dict[str, str], called: Pairs) -> None:
    """The table by kind."""
    print("| copy | found | by cosine alone | of |\n|---|---|---|---|")
    for kind in KINDS:
        cosines = [
            called.get(frozenset((copy, of)), -1) for copy, of in originals.items() if Path(copy).parent.name == kind
        ]
        found, low_high = sum(c >= 0 for c in cosines), wilson(sum(c >= 0 for c in cosines), len(cosines))
        name = f"**{kind}**" if kind in FOUR else kind
        share, alone = found / len(cosines), sum(c >= COSINE for c in cosines) / len(cosines)
        print(f"| {name} | {share:.3f} ({low_high[0]:.3f} to {low_high[1]:.3f}) | {alone:.3f} | {len(cosines)} |")


def sheet(folder: Path, pairs: Sequence[tuple[frozenset[str], float]]) -> Image.Image:
    """Pairs side by side, numbered, with their cosines."""
    rows = -(-len(pairs) // COLUMNS)
    drawn = Image.new("RGB", (COLUMNS * (2 * TILE_PX + 14), max(1, rows) * (TILE_PX + 16)), "white")
    for number, (names, cosine) in enumerate(pairs):
        left, top = number % COLUMNS * (2 * TILE_PX + 14), number // COLUMNS * (TILE_PX + 16)
        for side, name in enumerate(sorted(names)):
            with Image.open(folder / name) as image:
                small = image.convert("RGB")
                small.thumbnail((TILE_PX, TILE_PX))
                drawn.paste(small, (left + side * TILE_PX, top + 13))
        ImageDraw.Draw(drawn).text((left, top), f"{number} {cosine:.2f}", fill="black")
    return drawn


def main() -> None:
    """Plant, read, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--copies", type=int, default=40)
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--limit", type=int, help="so many pictures, drawn at random")
    asked = parser.parse_args()
    pictures = [asked.folder / os.fsdecode(file.path) for file in scan(asked.folder).files]
    if asked.limit is not None and asked.limit < len(pictures):
        pictures = sorted(random.Random(0).sample(pictures, asked.limit))
    folder = asked.out / "pictures"
    originals = plant(pictures, folder, copies=asked.copies)
    called = called_pairs(embed_folder(folder, workspace=asked.out / "workspace"))
    if originals:
        show_found(originals, called)
    among = [(pair, cosine) for pair, cosine in called.items() if not any(PLANTED in name for name in pair)]
    alone = sum(cosine >= COSINE for _, cosine in among)
    count = len(pictures) * (len(pictures) - 1) // 2
    print(f"\nOf {count:,} pairs of {len(pictures):,} pictures {len(among)} are called, {alone} by cosine alone.")
    random.Random(0).shuffle(among)
    sheet(folder, among[: asked.pairs]).save(asked.out / "sheet.png")


if __name__ == "__main__":
    main()
