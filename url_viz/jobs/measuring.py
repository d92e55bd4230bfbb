"""What a choice of pictures, or a review, is worth: measured by a job for a page of a large set, read from its file."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from url_viz.analysis.evidence.worth import Worth
from url_viz.image_set import ImageSet
from url_viz.jobs.configs import MeasureConfig, WorthConfig
from url_viz.jobs.job import Job
from url_viz.jobs.job_files import written_for_a_job
from url_viz.jobs.kinds import MEASURE, REVIEW_WORTH
from url_viz.jobs.results import worth_file

MOST = 4
"""So many choices of a set stay on disk: those measured last."""


def start_measuring(image_set: ImageSet, ids: Sequence[int], *, name: str, tag: str) -> Job:
    """Start to measure what it is worth to train on these pictures of a set called `name`, chosen as `tag`.

    Raises JobError if it cannot start.
    """
    wanted = np.unique(np.asarray(ids, np.int64))
    folder, key = image_set.core.store.paths.derived / "choices", _key(image_set, wanted.tobytes())
    listed, out = folder / f"{key}.ids", folder / f"{key}.json"
    with written_for_a_job(listed) as temporary:
        temporary.write_text("\n".join(map(str, wanted.tolist())), encoding="utf-8")
    for path in sorted(folder.glob("*.ids"), key=lambda path: path.stat().st_mtime, reverse=True)[MOST:]:
        for gone in (path, path.with_suffix(".json")):
            gone.unlink(missing_ok=True)
    config = MeasureConfig(image_set.root, listed, out, image_set.source.name, image_set.workspace.root)
    return MEASURE.start_on(image_set, config, name=name, pictures=f"{len(wanted):,}", tag=tag)


def start_worth(image_set: ImageSet, *, name: str) -> Job:
    """Start to measure what the decisions on a set called `name` were worth. Raises JobError if it cannot start."""
    out = _worth_path(image_set)
    out.parent.mkdir(parents=True, exist_ok=True)
    for gone in out.parent.glob("*.json"):
        gone.unlink(missing_ok=True)
    config = WorthConfig(image_set.root, out=out, model=image_set.source.name, workspace=image_set.workspace.root)
    return REVIEW_WORTH.start_on(image_set, config, name=name)


def worth_by_job(image_set: ImageSet) -> Worth | None:
    """What a job found of the decisions as they are now; None if none has. Raises JobError for a damaged file."""
    path = _worth_path(image_set)
    return worth_file(path).read() if path.exists() else None


def _worth_path(image_set: ImageSet) -> Path:
    return image_set.core.store.paths.derived / "worth" / f"{_key(image_set)}.json"


def _key(image_set: ImageSet, more: bytes = b"") -> str:
    """Of the pictures and decisions as they are now."""
    now = f"{image_set.space.key} {image_set.version} {image_set.decisions.version}".encode()
    return hashlib.blake2b(now + more, digest_size=12).hexdigest()
