"""Views of a picture as second witnesses of confusability: `python -m experiments.witnesses [PHOTOS]`.

PHOTOS holds the folders of the development sets. The default model embeds each picture as usual, mirrored, and as a
whole squeezed to a square; the second model embeds it as usual. A witness ranks what is nearest to the first pass in
its own graph. R-AUROC for N (the nearest to the first pass has another class) and P (a linear probe on a third
backbone, which no order has seen, calls it wrong), gains with 95 % t intervals over the sets, and the processor time of
each pass. Without PHOTOS the stored figures are printed.
"""

import argparse
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.stats import t as student

from experiments.figure_files import read_figures, write_figures
from training.benchmark.labelled import probe_errors
from training.command import markdown
from url_viz.evidence.order_metrics import auroc
from url_viz.imaging.decode import decode, middle, read_file, resized
from url_viz.models.model import Model, load_model
from url_viz.models.model_names import DEFAULT, SECOND_MODELS
from url_viz.pipeline.confusability import Lists, confusability
from url_viz.pipeline.graph import build_graph
from url_viz.pipeline.twins import twin_representatives
from url_viz.pipeline.whitening import whitened_rows

FIGURES = Path(__file__).with_name("witnesses.json")
DEVELOPMENT = ("grocery", "trash", "scenes", "places")
PROBE = "tf_efficientnet_lite1"
BATCH = 64
VIEWS = ("usual", "mirrored", "squeezed")
WITNESSES = {
    "squeezed": ("squeezed",),
    "mirrored": ("mirrored",),
    "squeezed and mirrored": ("squeezed", "mirrored"),
    "second model": ("second",),
    "second model and squeezed": ("second", "squeezed"),
}

Floats = NDArray[np.floating]


def main() -> None:
    """Measure if there are pictures, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="?", type=Path)
    photos = parser.parse_args().photos
    if photos is not None:
        models = {"first": load_model(DEFAULT), "second": load_model(SECOND_MODELS[0]), "probe": load_model(PROBE)}
        write_figures({name: figures(photos / name, models) for name in DEVELOPMENT}, FIGURES, digits=4)
    print(table(read_figures(FIGURES)))


def figures(folder: Path, models: dict[str, Model]) -> dict[str, float]:
    """R-AUROC with each choice of witnesses, and processor milliseconds a picture of each forward pass, of one set."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    label = np.unique([path.parent.name for path in files], return_inverse=True)[1].astype(np.int32)
    raw, cost_ms = _embedded(files, models)
    whitened = {name: whitened_rows(np.arange(len(files)), rows) for name, rows in raw.items()}
    spaces = {name: one.rows for name, one in whitened.items()}
    graphs = {name: build_graph(whitened[name], raw[name]) for name in raw if name != "probe"}
    first = graphs["usual"]
    representative = twin_representatives(first.twins)
    is_wrong = {
        "N": label[first.position[:, 0]] != label,
        "P": probe_errors(spaces["probe"], label, representative),
    }
    value = {"none": confusability(first.position, first.similarity, representative=representative)[0]}
    for name in ("squeezed", "mirrored", "second"):
        rows = spaces[name].astype(np.float32)
        near = np.einsum("ma,ma->m", rows, rows[first.position[:, 0]])
        lists = Lists(graphs[name].position, graphs[name].similarity, near)
        value[name] = confusability(first.position, first.similarity, others=[lists], representative=representative)[0]
    orders = {"none": value["none"]}
    orders |= {name: np.mean([value[one] for one in ones], axis=0) for name, ones in WITNESSES.items()}
    truths = {f"{name}, {of}": auroc(order, wrong) for name, order in orders.items() for of, wrong in is_wrong.items()}
    return {"pictures": len(files), **truths, **cost_ms}


def _embedded(files: list[Path], models: dict[str, Model]) -> tuple[dict[str, Floats], dict[str, float]]:
    """Embeddings of all views by the first model and of the usual one by the others, and what the passes cost."""
    parts: dict[str, list[Floats]] = {name: [] for name in (*VIEWS, "second", "probe")}
    spent = dict.fromkeys(parts, 0.0)
    for batch in _batches(files):
        images = [decode(read_file(bytes(path)))[0] for path in batch]
        for name, done in parts.items():
            model = models.get(name, models["first"])
            crops = np.stack([_view(image, model, name) for image in images])
            before = _processor_s()
            done.append(model.as_stored(model.run(crops).embedding).astype(np.float32))
            spent[name] += _processor_s() - before
    costs = {f"{name}, ms": 1000 * seconds / len(files) for name, seconds in spent.items()}
    return {name: np.concatenate(done) for name, done in parts.items()}, costs


def _batches(files: list[Path]) -> Iterator[list[Path]]:
    return (files[start : start + BATCH] for start in range(0, len(files), BATCH))


def _view(image: Image.Image, model: Model, name: str) -> NDArray[np.uint8]:
    sheet = model.space.preprocessing
    if name == "squeezed":
        return np.asarray(image.resize((sheet.size_px,) * 2, Image.Resampling.BICUBIC, reducing_gap=3.0))
    crop = middle(resized(image, sheet), sheet.size_px)
    return np.ascontiguousarray(crop[:, ::-1]) if name == "mirrored" else crop


def _processor_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def table(found: dict[str, dict[str, Any]]) -> str:
    """Means over the sets, and gains over one pass and over the second model with their intervals."""

    def column(name: str) -> Floats:
        return np.array([one[name] for one in found.values()])

    def gain(name: str, over: str) -> str:
        difference = column(name) - column(over)
        half = student.ppf(0.975, len(difference) - 1) * difference.std(ddof=1) / np.sqrt(len(difference))
        return f"{difference.mean():+.3f} ± {half:.3f}".replace("0.", ".")

    rows = [[name, *(part for of in "NP" for part in _cells(name, of, column, gain))] for name in ("none", *WITNESSES)]
    head = ["witnesses", *(f"{what}, {of}" for of in "NP" for what in ("R-AUROC", "over none", "over second model"))]
    costs = ", ".join(
        f"{name} {column(f'{name}, ms').mean():.1f}" for name in ("usual", "squeezed", "mirrored", "second")
    )
    return f"{markdown(head, rows)}\n\nProcessor ms a picture and pass: {costs}."


def _cells(name: str, of: str, column: Any, gain: Any) -> list[str]:
    mean = f"{column(f'{name}, {of}').mean():.3f}".replace("0.", ".")
    return [mean, *(gain(f"{name}, {of}", f"{over}, {of}") for over in ("none", "second model"))]


if __name__ == "__main__":
    main()
