"""What a second opinion costs, by what it is read from: `python -m benchmarks.second_opinion [--count 200]`.

JPEGs of 4000 × 3000, or those of a folder that are larger than their crops (350 kB), are read by the first model and
then by the second, to graphs and map, in turn: from the files by the second model alone, as before the first one looked
twice; from the files with that look; and as `embed` does, from crops that were cut in the first reading, whose own cost
is that of the first reading beside another that cuts none. Processor ms a picture.
"""

import argparse
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.embedding import LARGE, write_pictures
from benchmarks.machine import machine, processor_seconds
from url_viz.image_set import ImageSet
from url_viz.models.model import load_model
from url_viz.models.model_names import DEFAULT, PACKAGED, SECOND_MODELS
from url_viz.reading import embed_folder, embed_from_stash


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--folder", type=Path, help="of pictures that are read in place of those")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = given.folder or Path(place) / "pictures"
        if given.folder is None:
            write_pictures(folder, given.count, LARGE)
        found = measured(folder, Path(place))
    count = sum(path.is_file() for path in folder.rglob("*"))
    print(machine())
    print(f"\n| {count:,} pictures | processor ms a picture |\n|---|---|")
    for name, seconds in found.items():
        print(f"| {name} | {1000 * seconds / count:.1f} |")


def measured(folder: Path, place: Path) -> dict[str, float]:
    """Processor seconds of each step."""
    first = load_model(DEFAULT, workspace=place / "models")
    second = load_model(SECOND_MODELS[0], precision=first.space.precision, workspace=place / "models")

    def read(name: str, **options: object) -> Callable[[], ImageSet | None]:
        return partial(embed_folder, folder, workspace=place / name, **options)  # type: ignore[arg-type]

    from_stash = partial(
        embed_from_stash,
        folder,
        model=first,
        also=second,
        workspace=place / "stash",
        progress=lambda step: None,
    )
    read("warm", model=first, also=second, limit=30)()  # the first map of a process compiles UMAP
    steps: dict[str, Callable[[], ImageSet | None]] = {
        "first reading": read("alone", model=first),
        "first reading that cuts crops for a second": read(
            "stash", model=first, second_later=PACKAGED[SECOND_MODELS[0]].preprocessing
        ),
        "second model alone, from the files": read("alone", model=second),
        "second opinion, from crops": from_stash,
        "first reading again": read("files", model=first),
        "second opinion, from the files": read("files", model=first, also=second),
    }
    return {name: _seconds(step) for name, step in steps.items()}


def _seconds(step: Callable[[], ImageSet | None]) -> float:
    start = processor_seconds()
    found = step()
    seconds = processor_seconds() - start
    if found is None:
        raise RuntimeError("Not all crops were there: give files that are larger, or --count fewer.")
    return seconds


if __name__ == "__main__":
    main()
