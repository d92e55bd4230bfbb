"""Files and folders that commands write: none makes a folder around it that nobody asked for."""

from pathlib import Path

import numpy as np
import pytest

from tests.given import by_turns, dice, given_set
from training import evaluate, overlap
from training.benchmark import __main__ as benchmark
from training.config import BenchmarkConfig, EvaluateConfig, OverlapConfig
from url_viz.cli.main import main
from url_viz.errors import FolderError
from url_viz.image_set import ImageSet

pytestmark = pytest.mark.slow

WRITERS = [
    ("export", "{out}.csv"),
    ("export", "{out}.txt"),
    ("report", "{out}.html"),
    ("share", "{out}", "--as", "fiftyone"),
    ("share", "{out}", "--as", "huggingface"),
    ("sort", "{out}", "--by", "confusability"),
    ("suspects", "--out", "{out}.csv"),
    ("confused", "--out", "{out}.csv"),
    ("leakage", "--against", "{root}", "--out", "{out}.csv"),
    ("representatives", "--out", "{out}.parquet"),
    ("project", "/dev/null", "{out}.csv"),
    ("answers", "ask", "{out}.csv"),
    ("answers", "export", "{out}.csv"),
    ("worth", "--seeds", "2", "--out", "{out}.csv"),
    ("why", "cat/0000.jpg", "--heat", "{out}.png"),
    ("evaluate", "--json", "{out}.json"),
    ("pack", "{out}.tar"),
]
NO_MODEL = {"pack"}


@pytest.fixture(scope="module")
def image_set(tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    """Twenty-four pictures of two classes under given embeddings, which tell the classes apart but for a few."""
    number, rows = np.arange(24), dice(24)
    rows[:, 0] += np.where((number % 2 == 0) ^ (number > 20), 3, -3)
    return given_set(tmp_path_factory.mktemp("writers"), by_turns(24), rows)


@pytest.mark.parametrize("words", WRITERS, ids=lambda words: f"{words[0]}-{Path(words[-1]).suffix or words[-1]}")
def test_a_folder_that_is_not_there_is_told_and_not_made(
    words: tuple[str, ...], image_set: ImageSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = () if words[0] in NO_MODEL else ("--model", image_set.source.name)
    where = ("--workspace", str(image_set.workspace.root), *model)

    def ran(out: Path) -> int:
        command, *rest = (word.format(out=out, root=image_set.root) for word in words)
        return main([command, str(image_set.root), *rest, *where])

    assert ran(tmp_path / "a b" / "not there" / "out") == 1
    told = capsys.readouterr().err
    assert f"There is no folder '{tmp_path / 'a b' / 'not there'}' to write " in told
    assert f"(mkdir -p '{tmp_path / 'a b' / 'not there'}')" in told
    assert list(tmp_path.iterdir()) == []
    if words[0] != "why":  # of given embeddings there is no heat
        (tmp_path / "a b" / "not there").mkdir(parents=True)
        assert ran(tmp_path / "a b" / "not there" / "out") == 0, capsys.readouterr().err


def test_training_says_so_before_it_begins(tmp_path: Path) -> None:
    """Figures are lost if their place is looked at last; no model of this name could be loaded either."""
    file, folder = tmp_path / "not there" / "a.json", "folder:nowhere"
    for run in (
        lambda: evaluate.main(EvaluateConfig("no model", folder, json=file)),
        lambda: overlap.main(OverlapConfig((folder,), (folder,), "no model", json=file)),
        lambda: benchmark.main(BenchmarkConfig((folder,), "no model", json=file)),
    ):
        with pytest.raises(FolderError, match=r"There is no folder '.*not there' to write 'a.json' into"):
            run()
    assert list(tmp_path.iterdir()) == []
