"""What a choice of pictures is worth, measured by a job for a page of a large set, and read again from its file."""

import hashlib
from collections.abc import Sequence

import numpy as np

from url_viz.image_set import ImageSet
from url_viz.jobs.configs import MeasureConfig
from url_viz.jobs.job import Job
from url_viz.jobs.job_files import written_for_a_job
from url_viz.jobs.kinds import MEASURE

MOST = 4
"""So many choices of a set stay on disk: those measured last."""


def start_measuring(image_set: ImageSet, ids: Sequence[int], *, name: str, tag: str) -> Job:
    """Start to measure what it is worth to train on these pictures of a set called `name`, chosen as `tag`.

    Raises JobError if it cannot start.
    """
    wanted = np.unique(np.asarray(ids, np.int64))
    now = f"{image_set.space.key} {image_set.version} {image_set.decisions.version}".encode()
    key = hashlib.blake2b(now + wanted.tobytes(), digest_size=12).hexdigest()
    folder = image_set.store.paths.derived / "choices"
    listed, out = folder / f"{key}.ids", folder / f"{key}.json"
    with written_for_a_job(listed) as temporary:
        temporary.write_text("\n".join(map(str, wanted.tolist())), encoding="utf-8")
    for path in sorted(folder.glob("*.ids"), key=lambda path: path.stat().st_mtime, reverse=True)[MOST:]:
        for gone in (path, path.with_suffix(".json")):
            gone.unlink(missing_ok=True)
    config = MeasureConfig(image_set.root, listed, out, image_set.source.name, image_set.workspace.root)
    return MEASURE.start_on(image_set, config, name=name, pictures=f"{len(wanted):,}", tag=tag)
