"""What recording costs in a training: `python -m benchmarks.recording FOLDER`, of pictures in class folders.

Epochs of a ResNet-18 on pictures of 96 px, read from their files, by turns with and without recording; one thread, in
CPU seconds, which a busy machine changes least. Then 100,000 pictures of 1,000 classes without a net: what batches and
the file cost.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
import torchvision
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

import url_viz
from training.command import markdown
from training.data.pictures import PictureList
from training.data.spec import list_labelled
from url_viz.store.recorder import EpochBatches, Recorder

SIDE_PX, BATCH, ROUNDS = 96, 32, 3
MANY, CLASSES = 100_000, 1000


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", help="pictures in class folders")
    parser.add_argument("--limit", type=int, default=1000, help="how many pictures an epoch has")
    given = parser.parse_args()
    torch.set_num_threads(1)
    pictures = list_labelled(given.folder, limit=given.limit)
    with tempfile.TemporaryDirectory() as home:
        print(_of_epochs(pictures, home))
        print(_of_logits(url_viz.record(home, run="many", workspace=home)))


def _of_epochs(pictures: PictureList, home: str) -> str:
    record = url_viz.record(pictures.root, run="r1", classes=pictures.classes, workspace=home)
    net = torchvision.models.resnet18(num_classes=len(pictures.classes))
    optimiser = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    took: dict[bool, list[float]] = {True: [], False: []}
    within: list[float] = []
    for number in range(2 * ROUNDS):
        batches = EpochBatches(record) if number % 2 else None
        start, calls = time.process_time(), 0.0
        for said in _trained(net, optimiser, pictures):
            calls += 0 if batches is None else _seconds(lambda: batches.add(*said))  # noqa: B023
        calls += 0 if batches is None else _seconds(batches.write)
        took[batches is not None].append(time.process_time() - start)
        within += [] if batches is None else [calls]
    without, recorded, recording = (float(np.median(values)) for values in (took[False], took[True], within))
    row = [
        f"{len(pictures):,}",
        f"{without:.1f}",
        f"{recorded:.1f}",
        f"{recording * 1000:.1f}",
        f"{recording / recorded:.2%}",
    ]
    columns = ["pictures", "CPU s an epoch", "CPU s, recorded", "ms of that for recording", "share"]
    return markdown(columns, [row])


def _trained(
    net: torch.nn.Module, optimiser: torch.optim.Optimizer, pictures: PictureList
) -> Iterator[tuple[list[str], Tensor, Tensor]]:
    """The batches of an epoch: paths, logits and labels after each step."""
    for rows in torch.randperm(len(pictures)).split(BATCH):
        paths = [str(pictures.root / pictures.paths[row].decode()) for row in rows.tolist()]
        images = torch.stack([_pixels(path) for path in paths])
        labels = torch.from_numpy(pictures.labels[rows.numpy()].astype(np.int64))
        logits = net(images)
        optimiser.zero_grad()
        F.cross_entropy(logits, labels).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        yield paths, logits, labels


def _pixels(path: str) -> Tensor:
    with Image.open(path) as image:
        image.draft("RGB", (SIDE_PX, SIDE_PX))
        small = image.convert("RGB").resize((SIDE_PX, SIDE_PX))
    return torch.from_numpy(np.asarray(small, np.float32).transpose(2, 0, 1) / 255)


def _seconds(call: Callable[[], object]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


def _of_logits(record: Recorder) -> str:
    ids, logits = np.arange(MANY), torch.randn(MANY, CLASSES)
    start = time.process_time()
    with record.collect() as epoch:
        for rows in np.split(ids, range(256, MANY, 256)):
            epoch.add(rows, logits[rows[0] : rows[-1] + 1])
        collected = time.process_time() - start
    took = time.process_time() - start
    row = [f"{MANY:,} x {CLASSES:,}", f"{collected:.2f}", f"{took - collected:.2f}"]
    return markdown(["logits", "CPU s to take batches", "CPU s to write the epoch"], [row])


if __name__ == "__main__":
    main()
