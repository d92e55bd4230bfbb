"""How often a spoiled photograph is trusted less: `python -m experiments.deterioration PHOTOS --workspace DIR`.

Some pictures of each set are spoiled in every way and strength of experiments/spoiling.py, and read again. Compared are
the head's uncertainty, the entropy of the backbone's classifier, and confusability in the set without the picture
and its twins (METHOD 5.4 c). A value that does not change gives .5. Nothing is chosen here.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from experiments.figure_files import measured_or_read
from experiments.spoiling import SPOILINGS
from training.command import cell, markdown
from url_viz.evidence.order_metrics import Figure, share_of
from url_viz.image_set import ImageSet
from url_viz.imaging.decode import Preprocessing, decode, middle, read_file, resized
from url_viz.models.model import BATCH, Model
from url_viz.outside.new_pictures import NewPictures, Reference, compare_to_reference

FIGURES = Path(__file__).with_suffix(".json")
DRAWING = FIGURES.with_suffix(".svg")
SETS = {"development": ("grocery",), "report": ("caltech101", "flowers102")}
MEASURES = ("uncertainty", "entropy", "confusability")
COLOURS = dict(zip(MEASURES, ("#d55e00", "#7f7f7f", "#0072b2"), strict=True))
PICTURES = 300
SEED = 0
STRENGTHS = range(5)
MIDDLE = 2
TABLED = {"weakest": STRENGTHS[0], "middle": MIDDLE, "strongest": STRENGTHS[-1]}
"""Columns of the table; the drawing has all strengths."""
CHANCE = 0.5
TITLE = "How often a spoiled photograph is above itself, by strength (weakest to strongest)"

Values = Mapping[str, NDArray[np.floating]]
Wins = dict[str, dict[str, list[float]]]


@dataclass(frozen=True)
class Sample:
    """Pictures (Q) of a set that stand in its lists: their files, and `row` (Q,) of each in the `reference`."""

    files: tuple[Path, ...]
    row: NDArray[np.int64]
    reference: Reference


def sample_of(image_set: ImageSet, *, pictures: int = PICTURES, seed: int = SEED) -> Sample:
    """Drawn by `seed` from the distinct pictures, one of each group of twins, in the order of the reference."""
    reference = image_set.core.reference()
    drawn = np.random.default_rng(seed).permutation(np.flatnonzero(reference.counts))[:pictures]
    row = np.sort(drawn)
    return Sample(tuple(image_set.files.path(int(one)) for one in reference.ids[row]), row, reference)


def values_of(crops: NDArray[np.uint8], sample: Sample, model: Model) -> Values:
    """The MEASURES (Q,) of crops (Q, S, S, 3) uint8, one of each picture of the sample.

    Confusability is that of an upload, in the set without the picture and without its twins: with them there, a
    spoiled picture would be nearest to itself.
    """
    parts = [model.run(crops[start : start + BATCH]) for start in range(0, len(crops), BATCH)]
    embedding = np.concatenate([model.as_stored(part.embedding) for part in parts])
    spoiled = replace(NewPictures.of_embeddings(embedding), content=sample.reference.content[sample.row])
    found = compare_to_reference(spoiled, sample.reference)
    entropy = np.concatenate([part.entropy for part in parts])
    return dict(zip(MEASURES, (model.uncertainty(embedding), entropy, found.confusability), strict=True))


def wins(spoiled: NDArray[np.floating], itself: NDArray[np.floating]) -> float:
    """The share of pictures whose value (Q,) is above their own (Q,) when spoiled; equal counts half, nan is left out.

    nan if no picture has both values.
    """
    known = np.isfinite(spoiled) & np.isfinite(itself)
    if not known.any():
        return float("nan")
    return float((np.sign(spoiled[known] - itself[known]).mean() + 1) / 2)


def wins_of(sample: Sample, model: Model) -> Wins:
    """The wins of every measure by way and strength, the weakest first."""
    whole = [decode(read_file(bytes(file)))[0] for file in sample.files]
    preprocessing = model.space.preprocessing
    itself = values_of(_crops(whole, preprocessing), sample, model)
    found: Wins = {}
    for way, spoiling in SPOILINGS.items():
        found[way] = {name: [] for name in MEASURES}
        for strength in spoiling.strengths:
            made = (
                spoiling.made(image, strength, np.random.default_rng([SEED, number]))
                for number, image in enumerate(whole)
            )
            values = values_of(_crops(made, preprocessing), sample, model)
            for name in MEASURES:
                found[way][name].append(round(wins(values[name], itself[name]), 5))
    return found


def _crops(images: Sequence[Image.Image] | Iterator[Image.Image], preprocessing: Preprocessing) -> NDArray[np.uint8]:
    return np.stack([middle(resized(image, preprocessing), preprocessing.size_px) for image in images])


def figures_of(image_set: ImageSet) -> dict[str, object]:
    """The wins on one set, as JSON."""
    sample = sample_of(image_set)
    return {"pictures": len(sample.files), "wins": wins_of(sample, image_set.core.model)}


def pooled(sets: Sequence[Mapping[str, object]], way: str, measure: str, strength: int) -> Figure:
    """The share over the pictures of all sets, with Wilson's 95 % interval over pictures."""
    count = np.array([one["pictures"] for one in sets], float)
    share = np.array([_at(one, way, measure)[strength] for one in sets])
    total, hits = int(count.sum()), float((count * share).sum())
    return share_of(hits, total)


def _at(of_set: Mapping[str, object], way: str, measure: str) -> list[float]:
    found = of_set["wins"]
    assert isinstance(found, dict)
    values = found[way][measure]
    assert isinstance(values, list)
    return values


def table(figures: dict[str, dict[str, dict[str, object]]]) -> str:
    """The share of every way and measure over all sets, at the weakest, middle and strongest strength."""
    sets = [one for use in figures.values() for one in use.values()]
    rows = []
    for way, spoiling in SPOILINGS.items():
        strengths = ", ".join(f"{spoiling.strengths[strength]:g}" for strength in TABLED.values())
        title = f"{way}: {strengths} ({spoiling.unit})"
        for measure in MEASURES:
            cells = [cell(pooled(sets, way, measure, strength), digits=2) for strength in TABLED.values()]
            rows.append([title if measure == MEASURES[0] else "", measure, *cells])
    return markdown(["spoiled by", "measure", *TABLED], rows)


def table_by_set(figures: dict[str, dict[str, dict[str, object]]]) -> str:
    """The share at the middle strength on each set."""
    sets = {f"{name} ({use})": one for use, of_use in figures.items() for name, one in of_use.items()}
    rows = [
        [way, measure, *(cell(pooled([one], way, measure, MIDDLE), digits=2) for one in sets.values())]
        for way in SPOILINGS
        for measure in MEASURES
    ]
    return markdown(["spoiled by", "measure", *sets], rows)


WIDE, HIGH, LEFT, TOP, COLUMNS = 210, 170, 40, 62, 3
"""A panel of the drawing with its margins, in px, and how many stand beside each other."""


def drawing(figures: dict[str, dict[str, dict[str, object]]]) -> str:
    """An SVG: a panel a way, a line with its interval a measure, over all sets."""
    sets = [one for use in figures.values() for one in use.values()]
    wide, high = LEFT + COLUMNS * WIDE, TOP + HIGH * -(-len(SPOILINGS) // COLUMNS)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" font-family="sans-serif" font-size="11">',
        f'<rect width="{wide}" height="{high}" fill="white"/>',
        f'<text x="{LEFT}" y="18" font-size="12" font-weight="bold">{TITLE}</text>',
        *(
            f'<text x="{LEFT + 130 * number}" y="36" fill="{COLOURS[name]}">{name}</text>'
            for number, name in enumerate(MEASURES)
        ),
    ]
    for number, way in enumerate(SPOILINGS):
        x, y = LEFT + WIDE * (number % COLUMNS), TOP + HIGH * (number // COLUMNS)
        parts += [f'<g transform="translate({x} {y})">', *_panel(sets, way), "</g>"]
    return "\n".join([*parts, "</svg>", ""])


def _panel(sets: Sequence[Mapping[str, object]], way: str) -> list[str]:
    wide, high = WIDE - 40, HIGH - 50
    spoiling = SPOILINGS[way]
    x = [wide * one / (len(STRENGTHS) - 1) for one in STRENGTHS]
    parts = [f'<text x="0" y="-6" font-weight="bold">{way}</text>']
    for share in (0, CHANCE, 1):
        level, look = high * (1 - share), ' stroke-dasharray="4 3"' if share == CHANCE else ""
        parts.append(
            f'<path d="M0 {level:.1f}H{wide}" stroke="#999"{look}/><text x="-24" y="{level + 4:.1f}">{share:g}</text>'
        )
    for place, strength in zip(x, spoiling.strengths, strict=True):
        parts.append(f'<text x="{place:.1f}" y="{high + 15}" text-anchor="middle">{strength:g}</text>')
    parts.append(f'<text x="{wide / 2:.1f}" y="{high + 29}" text-anchor="middle" fill="#666">{spoiling.unit}</text>')
    for name in MEASURES:
        found = [pooled(sets, way, name, strength) for strength in STRENGTHS]
        ends = [one.interval.high for one in found] + [one.interval.low for one in found[::-1]]
        band, line = _points([*x, *x[::-1]], ends, high), _points(x, [one.value for one in found], high)
        parts.append(f'<polygon points="{band}" fill="{COLOURS[name]}" opacity=".15"/>')
        parts.append(f'<polyline points="{line}" fill="none" stroke="{COLOURS[name]}" stroke-width="2"/>')
    return parts


def _points(x: Sequence[float], share: Sequence[float], high: float) -> str:
    return " ".join(f"{one:.1f},{high * (1 - value):.1f}" for one, value in zip(x, share, strict=True))


def main() -> None:
    """Measure the sets in PHOTOS that have been read, write the figures, and print the tables; or print them again."""
    figures = measured_or_read(__doc__, FIGURES, sets=SETS, of=figures_of)
    print(f"{table(figures)}\n\n{table_by_set(figures)}")
    DRAWING.write_text(drawing(figures), encoding="utf-8")


if __name__ == "__main__":
    main()
