"""Which uploads are unlike a set, by sets: `python -m experiments.unlike --data FOLDER --data FOLDER …`.

Of each set a fifth of the pictures, drawn at random, are uploads to the rest of it; pictures of the other sets are
uploads that it does not know. A good line calls none of the first unlike the set, and all of the second but those of
sets that show the same things. The figures go to unlike.json; `--table` prints their table, of which docs/benchmark.md
has the extremes.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Doc

from training.command import command, markdown
from training.data.spec import list_pictures
from training.overlap import embed_pictures
from url_viz.base.errors import UsageError
from url_viz.base.progress import command_report
from url_viz.models.model import load_model
from url_viz.models.model_names import DEFAULT
from url_viz.outside.uploads import unlike

FIGURES = Path(__file__).with_suffix(".json")
SHARE, SEED = 5, 0
"""One picture in so many is an upload to its own set; the seed of that draw."""

Embedding = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class UnlikeStudy:
    """Measure which pictures of each set, and of the others, are unlike it."""

    data: Annotated[tuple[Path, ...], Doc("Folder of pictures; give it again for more.")] = ()
    limit: Annotated[int, Doc("Most pictures of a set, spread over it.")] = 2000
    table: Annotated[bool, Doc("Print the table of the figures that are there.")] = False


def main(study: UnlikeStudy) -> None:
    """Measure and write the figures, or read them; print the table."""
    if not study.table:
        if len(study.data) < 2:
            raise UsageError("Two sets are needed. Give --data FOLDER twice, or --table.")
        model = load_model(DEFAULT)
        embedded = {
            folder.name: embed_pictures(
                model,
                list_pictures(str(folder), limit=study.limit),
                seed=SEED,
                report=command_report(),
                with_crops=False,
            ).embedding
            for folder in study.data
        }
        figures = {name: shares_unlike(name, embedded) for name in embedded}
        FIGURES.write_text(json.dumps({"model": DEFAULT, "sets": figures}, indent=1) + "\n", encoding="utf-8")
    print(table(json.loads(FIGURES.read_text("utf-8"))["sets"]))


def shares_unlike(name: str, embedded: dict[str, Embedding]) -> dict[str, float]:
    """The share of uploads that are unlike the set `name`: its own fifth, and each other set's pictures."""
    own = embedded[name]
    is_upload = np.zeros(len(own), bool)
    is_upload[np.random.default_rng(SEED).permutation(len(own))[: len(own) // SHARE]] = True
    rest = own[~is_upload]
    uploads = {other: own[is_upload] if other == name else rows for other, rows in embedded.items()}
    counts = np.ones(len(rest), bool)
    return {other: round(float(unlike(rows, rest, counts=counts).mean()), 3) for other, rows in uploads.items()}


def table(sets: dict[str, dict[str, float]]) -> str:
    """A row a set: the share of its own pictures, of the set that is most like it, and the median of the other sets."""
    rows = []
    for name, shares in sets.items():
        least, *more = sorted((share, other) for other, share in shares.items() if other != name)
        median = np.median([least[0], *(share for share, _ in more)])
        rows.append([name, f"{shares[name]:.1%}", f"{least[0]:.0%} ({least[1]})", f"{median:.0%}"])
    return markdown(["set", "its own", "of the set most like it", "median of other sets"], rows)


if __name__ == "__main__":
    sys.exit(command(UnlikeStudy, main))
