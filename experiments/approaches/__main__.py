"""URL's approaches and ours side by side on the cached embeddings of a frozen backbone.

    python -m experiments.approaches --cache DIR [--cache DIR …] --data SPEC [--data SPEC …] --out DIR

Each trains a small head on the same pictures of the caches, by their labels, views or task losses. Three settings of
each are tried; the best by R-AUROC on held-out pictures of the caches runs with every seed, and is measured on each
--data set against the same outcome: whether the backbone's own nearest neighbour has the same label. Writes
OUT/approaches.json, table.md and scatter.svg; runs that are done are stored in OUT/runs, and not made again.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

import numpy as np

from experiments.approaches.config import ApproachesConfig
from experiments.approaches.figure import figure
from experiments.approaches.fit import MeasuredSet, TrainingPictures, upstream_of
from experiments.approaches.measured import Runs, figures_of, read_runs, runs_of, write_runs
from experiments.approaches.named import APPROACHES
from experiments.approaches.records import ApproachComparison, SetAbout
from experiments.approaches.table import table
from training.command import command
from training.data.pictures import PictureList
from training.data.spec import list_labelled
from training.overlap import embed_pictures
from training.store import Manifest, locked, open_cache, write_json
from training.training_rows import Sources
from url_viz.base.errors import CacheError, FolderError, UsageError
from url_viz.base.files import replaced
from url_viz.base.progress import Clock, command_report
from url_viz.models.model import Model, load_model


def main(config: ApproachesConfig) -> None:
    """Train and measure as `config` says; print the table."""
    names = _names(config)
    lists = [list_labelled(spec, limit=config.limit) for spec in config.data]
    sources = Sources(tuple(open_cache(folder) for folder in config.cache))
    upstream = upstream_of(sources, held_out=config.held_out)
    with locked(config.out):
        sets = _embedded(config, sources, lists)
        about = _about(config, sources, lists)
        clock, found = Clock("approaches", len(names)), []
        for done, name in enumerate(names, 1):
            found.append(_runs_of(name, upstream, sets, config, f"{APPROACHES[name].settings} {about}"))
            command_report()(clock.at(done))
        comparison = compared(config, sources.manifest, upstream, sets, found)
        write_json(comparison, config.out / "approaches.json")
        for file, text in (("table.md", table(comparison) + "\n"), ("scatter.svg", figure(comparison))):
            with replaced(config.out / file) as temporary:
                temporary.write_text(text, "utf-8")
    print(table(comparison))


def compared(
    config: ApproachesConfig,
    manifest: Manifest,
    upstream: TrainingPictures,
    sets: Sequence[MeasuredSet],
    found: Sequence[Runs],
) -> ApproachComparison:
    """The comparison of runs that are done."""
    return ApproachComparison(
        manifest.backbone,
        manifest.precision,
        config.epochs,
        config.batch,
        config.seeds,
        len(upstream.label),
        upstream.classes,
        _held_out_about(upstream),
        tuple(map(_set_about, sets)),
        figures_of(found, sets),
    )


def _names(config: ApproachesConfig) -> tuple[str, ...]:
    """The approaches that are asked for; raises UsageError for one that is none, or for no sets."""
    if not config.data:
        raise UsageError("No pictures are named. Give --data FOLDER of class folders, again for each further set.")
    unknown = [name for name in config.approach if name not in APPROACHES]
    if unknown:
        raise UsageError(f"{unknown[0]!r} is no approach. There are: {', '.join(APPROACHES)}.")
    return config.approach or tuple(APPROACHES)


def _embedded(config: ApproachesConfig, sources: Sources, lists: Sequence[PictureList]) -> list[MeasuredSet]:
    """The sets, embedded with the backbone that wrote the caches; raises CacheError if it is another one now."""
    manifest = sources.manifest
    model = load_model(manifest.backbone, device=config.device, precision=manifest.precision)
    if model.space.weights_digest != manifest.weights_digest:
        raise CacheError(
            f"{sources.names[0]} was written by weights {manifest.weights_digest} of {manifest.backbone!r}, and those "
            f"here are {model.space.weights_digest}. Write the caches again."
        )
    return [_measured(spec, pictures, model) for spec, pictures in zip(config.data, lists, strict=True)]


def _measured(spec: str, pictures: PictureList, model: Model) -> MeasuredSet:
    embedded = embed_pictures(model, pictures, seed=0, report=command_report(), with_crops=False)
    if len(embedded.positions) < 3:
        raise FolderError(f"{len(embedded.positions)} readable pictures in {spec!r} are too few to measure on.")
    return MeasuredSet.of(spec, embedded.embedding, pictures.labels[embedded.positions])


def _runs_of(
    name: str, upstream: TrainingPictures, sets: Sequence[MeasuredSet], config: ApproachesConfig, about: str
) -> Runs:
    """An approach's runs, read from an earlier command that did the same."""
    path = runs_path(config.out, name)
    found = read_runs(name, path, about=about)
    if found is None:
        found = runs_of(name, upstream, sets, config)
        write_runs(found, path, about=about)
    return found


def runs_path(out: Path, name: str) -> Path:
    """The file with the runs of an approach."""
    return out / "runs" / f"{''.join(letter if letter.isalnum() else '-' for letter in name)}.npz"


def _about(config: ApproachesConfig, sources: Sources, lists: Sequence[PictureList]) -> str:
    """All that the runs of every approach depend on, as text."""
    numbers = (config.epochs, config.batch, config.seeds, config.held_out)
    names = ("weights_digest", "precision", "pictures_digest", "views", "seed")
    of_caches = [([getattr(one.manifest, name) for name in names], one.about_loss) for one in sources.caches]
    of_sets = [(str(pictures.root.absolute()), pictures.digest) for pictures in lists]
    return json.dumps([numbers, of_caches, of_sets], sort_keys=True)


def _held_out_about(upstream: TrainingPictures) -> SetAbout:
    """The held-out pictures of all sources as one; recall@1 is the mean over them."""
    abouts = [_set_about(part) for part in upstream.held_out]
    classes = len(np.unique(np.concatenate([part.label for part in upstream.held_out])))
    recall = fmean(one.recall_at_1 for one in abouts)
    return SetAbout("held-out", sum(one.pictures for one in abouts), classes, recall)


def _set_about(part: MeasuredSet) -> SetAbout:
    return SetAbout(part.name, len(part.label), len(np.unique(part.label)), float(part.is_correct.mean()))


if __name__ == "__main__":
    sys.exit(command(ApproachesConfig, main))
