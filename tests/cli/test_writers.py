"""Files and folders that commands write: none is made around them, and none of them changes what is read."""

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.annotated_sets import KINDS, write_annotated
from tests.given import by_turns, dice, given_set
from tests.imaging.pictures import noise
from training import overlap
from training.benchmark import __main__ as benchmark
from training.command import command
from training.config import (
    BenchmarkConfig,
    CacheConfig,
    EvaluateConfig,
    FinetuneConfig,
    OverlapConfig,
    PretrainConfig,
)
from training.evaluate import __main__ as evaluate
from url_viz.base.command_line import is_output
from url_viz.base.errors import FolderError, UsageError
from url_viz.capabilities import places
from url_viz.cli.doors import showing
from url_viz.cli.main import main
from url_viz.export.data_sets import DATA_SETS, for_parquet
from url_viz.export.diffs import describe_changes
from url_viz.export.figure import write_figure, write_gallery
from url_viz.export.folders import sort_into_folders
from url_viz.export.report import write_report
from url_viz.export.result_files import write_evaluation
from url_viz.export.selection import export_map, export_table
from url_viz.image_set import ImageSet
from url_viz.imaging.outputs import refuse_source, require_outside
from url_viz.store.bundle import pack

pytestmark = pytest.mark.slow

WRITERS = [
    ("export table", "{out}.csv"),
    ("export table", "{out}.txt"),
    ("export report", "{out}.html"),
    *((f"export {kind}", "{out}") for kind in DATA_SETS if kind != "annotations"),
    ("export folders", "{out}", "--by", "confusability"),
    ("labels doubtful", "--out", "{out}.csv"),
    ("labels confused", "--out", "{out}.csv"),
    ("labels soft", "--out", "{out}.csv"),
    ("splits leaks", "--against", "{root}", "--out", "{out}.csv"),
    ("subsets regions", "--out", "{out}.parquet"),
    ("export map", "/dev/null", "{out}.csv"),
    ("answers ask", "--out", "{out}.csv"),
    ("answers list", "--out", "{out}.csv"),
    ("decisions", "--out", "{out}.csv"),
    ("twins list", "--out", "{out}.csv"),
    ("explain", "--out", "{out}.csv"),
    ("labels worth", "--seeds", "2", "--out", "{out}.csv"),
    ("explain", "cat/0000.jpg", "--heat", "{out}.png"),
    ("models evaluate", "--out", "{out}.json"),
    ("sets pack", "{out}.tar"),
]


@pytest.fixture(scope="module")
def image_set(tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    """Twenty-four pictures of two classes under given embeddings, which tell the classes apart but for a few."""
    number, rows = np.arange(24), dice(24)
    rows[:, 0] += np.where((number % 2 == 0) ^ (number > 20), 3, -3)
    return given_set(tmp_path_factory.mktemp("writers"), by_turns(24), rows)


def ran(words: tuple[str, ...], image_set: ImageSet, out: Path) -> int:
    """The status of a command on the set that writes to `out`."""
    command, *rest = (word.format(out=out, root=image_set.root) for word in words)
    model = () if command == "sets pack" else ("--model", image_set.source.name)
    return main([*command.split(), str(image_set.root), *rest, "--workspace", str(image_set.workspace.root), *model])


@pytest.mark.parametrize("words", WRITERS, ids=lambda words: f"{words[0]}-{Path(words[-1]).suffix or words[-1]}")
def test_a_folder_that_is_not_there_is_told_and_not_made(
    words: tuple[str, ...], image_set: ImageSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "a b" / "not there"
    assert ran(words, image_set, folder / "out") == 2
    told = capsys.readouterr().err
    assert f"There is no folder '{folder}' to write " in told
    assert f"(mkdir -p '{folder}')" in told
    assert list(tmp_path.iterdir()) == []
    if "--heat" not in words:  # of given embeddings there is no heat
        folder.mkdir(parents=True)
        assert ran(words, image_set, folder / "out") == 0, capsys.readouterr().err


REFUSED = [
    *WRITERS,
    ("subsets choose", "3", "--out", "{out}.csv"),
    ("subsets worth", "/dev/null", "--out", "{out}.json"),
    ("models compare", "m", "--out", "{out}.csv"),
    ("versions diff", "{root}", "--out", "{out}.json"),
    ("versions diff", "{root}", "--report", "{out}.html"),
    *(("check", "--policy", "policy.toml", f"--{kind}", "{out}.x") for kind in ("json", "junit", "markdown")),
    ("export figure", "{out}.png"),
    ("export figure", "/dev/null", "--gallery", "{out}.png"),
    ("runs detections", "/dev/null", "--out", "{out}.csv"),
    ("export annotations", "{out}"),
    ("sort-new", "/dev/null", "--out", "{out}.csv"),
]
"""Every output of every command."""


def test_every_output_of_every_command_is_tried() -> None:
    capabilities = {" ".join(words): place.load() for words, place in places().items()}
    hints = {
        (words, each.name): each.hint
        for words, what in capabilities.items()
        for each in (*what.parameters, *showing(what))
    }
    marked = {place for place, hint in hints.items() if is_output(hint)}
    tried = Counter(words[0] for words in REFUSED)
    assert {*tried} == {command for command, _ in marked}
    for name in ("check", "export figure"):
        assert tried[name] == sum(place[0] == name for place in marked)
    named = {place for place in hints if re.search(r"out|json|junit|markdown|report|heat|gallery", place[1])}
    paths = {place for place in named if "Path" in str(hints[place])}
    assert paths - {("train pretrain", "report")} <= marked, "the pictures that are reported on are read"


def tree(root: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in sorted(root.rglob("*"))}


@pytest.mark.parametrize("words", REFUSED, ids=lambda words: "-".join(words[0::3])[:30])
def test_nothing_is_written_among_the_pictures(
    words: tuple[str, ...], image_set: ImageSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not beside a picture, not in its place, and not through a link."""
    before = tree(image_set.root)
    (tmp_path / "way").symlink_to(image_set.root)
    for out in (image_set.root / "new", tmp_path / "way" / "cat" / "new"):
        assert ran(words, image_set, out) == 2
        assert "which is only read. Write it elsewhere" in capsys.readouterr().err
    assert tree(image_set.root) == before


def written_list(folder: Path) -> Path:
    noise(0).save(folder / "0.png")
    (folder / "list.csv").write_text("path\n0.png\n")
    return folder / "list.csv"


def test_what_a_list_or_annotations_name_is_not_written_over(tmp_path: Path) -> None:
    for kind in KINDS:
        (tmp_path / kind).mkdir()
    yolo, coco, voc, labelme = (write_annotated(tmp_path / kind, kind) for kind in KINDS)
    yolo.write_text("train: train.txt\nnames: {0: cat, 1: dog}\n")
    (yolo.parent / "train.txt").write_text("images/0.png\nimages/1.png\n")
    listed = written_list(tmp_path)
    (tmp_path / "link.csv").symlink_to(listed)
    (tmp_path / "same.png").hardlink_to(tmp_path / "0.png")
    own = {
        listed: [listed, tmp_path / "link.csv", tmp_path / "0.png", tmp_path / "same.png"],
        yolo: [yolo, yolo.parent / "labels" / "1.txt", yolo.parent / "images" / "0.png", yolo.parent / "train.txt"],
        coco: [coco, coco.parent / "images" / "1.png"],
        voc: [voc / "Annotations" / "0.xml", voc / "new.csv"],
        labelme: [labelme / "0.json", labelme / "0.png", labelme / "new.csv"],
    }
    for root, paths in own.items():
        for path in paths:
            with pytest.raises(UsageError, match="Write it elsewhere"):
                require_outside(path, "/nowhere", root)
        assert require_outside(root.parent / "new.csv", root) == root.parent / "new.csv"


def test_a_list_a_policy_and_a_baseline_stay_what_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    listed, policy = written_list(tmp_path), tmp_path / "policy.toml"
    policy.write_text("leaks = 0\n")
    before = tree(tmp_path)
    monkeypatch.chdir(tmp_path)
    home = ("--workspace", str(tmp_path.parent / "home"))
    for words in (
        ("export table", str(listed), "list.csv"),
        ("subsets choose", str(listed), "3", "--out", "list.csv"),
        ("subsets choose", "elsewhere", "3", "--from", "list.csv", "--out", "./list.csv"),
        ("subsets choose", "elsewhere", "3", "--pin", "list.csv", "--out", "list.csv"),
        ("versions diff", "elsewhere", "list.csv", "--out", "list.csv"),
        ("check", "elsewhere", "--policy", "policy.toml", "--json", "policy.toml"),
    ):
        assert main([*words[0].split(), *words[1:], *home]) == 2
        assert "is what is read. Write it elsewhere" in capsys.readouterr().err
    assert tree(tmp_path) == before


def test_python_asks_too(image_set: ImageSet) -> None:
    before, inside = tree(image_set.root), image_set.root / "cat"
    evaluated = image_set.evaluate()
    assert evaluated is not None
    for write in (
        lambda: write_report(image_set, inside / "a.html"),
        lambda: write_evaluation(image_set, evaluated, inside / "a.json"),
        lambda: write_figure(image_set, inside / "a.png", by=None, classes=(), method="umap"),
        lambda: write_gallery(image_set, inside / "a.png", by="confusability", classes=(), count=1),
        lambda: export_map(image_set, [], inside / "a.csv"),
        lambda: export_table(image_set, inside / "a.csv"),
        lambda: for_parquet(image_set, inside / "a"),
        lambda: describe_changes(image_set, since="1", report=inside / "a.html"),
        lambda: sort_into_folders(image_set, inside / "a", by="confusability"),
        lambda: DATA_SETS["huggingface"].write(image_set, inside / "a"),
        lambda: pack(image_set.root, inside / "a.tar", workspace=image_set.workspace.root),
    ):
        with pytest.raises(UsageError, match="which is only read"):
            write()
    assert tree(image_set.root) == before


def test_a_workspace_among_the_pictures_is_ours(tmp_path: Path) -> None:
    home = tmp_path / "photos" / ".url_viz"
    home.mkdir(parents=True)
    assert require_outside(home / "a.csv", tmp_path / "photos", home=home)
    with pytest.raises(UsageError, match="which is only read"):
        require_outside(home / "a.csv", tmp_path / "photos")


def test_a_workspace_about_the_pictures_lets_nothing_be_written_over(tmp_path: Path) -> None:
    """Neither the list that is read, nor a folder, nor its own records; its exports are, where it is the folder."""
    (tmp_path / "photos").mkdir()
    listed = tmp_path / "list.csv"
    listed.write_text("path\n")
    for source, out in (
        (listed, listed),
        (tmp_path / "photos", tmp_path / "photos" / "new.csv"),
        (tmp_path, tmp_path / "photos" / "new.csv"),
        (tmp_path / "exports" / "read", tmp_path / "exports" / "read" / "new.csv"),
    ):
        with pytest.raises(UsageError, match=r"is what is read|which is only read"):
            refuse_source(out, source, home=tmp_path)
    for own in ("sets/0123456789abcdef/set.json", "workspace.json", "allowed.json"):
        with pytest.raises(UsageError, match="for its own records"):
            refuse_source(tmp_path / own, tmp_path / "photos", home=tmp_path)
    for place in ("exports/new", "heads/new", "jobs/0/result.json"):
        refuse_source(tmp_path / place, tmp_path, tmp_path / "photos", home=tmp_path)


def test_training_writes_nothing_among_the_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "photos").mkdir()
    ran: list[object] = []
    for kind, words in (
        (CacheConfig, ["--out"]),
        (FinetuneConfig, ["--out"]),
        (PretrainConfig, ["--out"]),
        (EvaluateConfig, ["--model", "m", "--json"]),
        (EvaluateConfig, ["--model", "m", "--figures"]),
        (BenchmarkConfig, ["--model", "m", "--arrays"]),
    ):
        for spec in (f"folder:{tmp_path / 'photos'}", str(tmp_path / "photos")):
            assert command(kind, ran.append, ["--data", spec, *words, str(tmp_path / "photos" / "new")]) == 2
            assert "which is only read. Write it elsewhere" in capsys.readouterr().err
    assert ran == []


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
