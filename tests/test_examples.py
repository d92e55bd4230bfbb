"""Every notebook of `examples/` runs from start to end without a network, does what it promises, and is kept clean."""

import ast
import io
import json
import re
import socket
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from url_viz import demo
from url_viz.base.workspace import Workspace
from url_viz.image_set import open_image_set

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))
REVIEW = EXAMPLES / "review_a_folder.ipynb"
TRAIN = EXAMPLES / "train_and_compare.ipynb"
GATE = "gate"
"""What pipelines take: tests/cli/test_check_command.py runs it."""
PLUGIN = "plugin"
"""`tests/test_plugins.py` installs it."""
RECIPES = "callbacks.py"
"""`tests/test_callbacks.py` runs it."""
SOFT = "soft_labels.py"
"""`tests/labels/test_soft.py` runs it."""
ABSOLUTE = re.compile(r"(?<![\w.~/:*<)])/\w|\b[A-Za-z]:\\|file:/")
"""A path from the root of a disk, in quotes or not; not the / between two words, nor an address."""
SHOWN = {"text/html": "_repr_html_", "image/png": "_repr_png_"}
NAMED = "brick.png chelsea.png coffee.png grass.png rocket.jpg"
"""Photographs of the spoiled demo set: those that the notebook of the review names."""
CORRECTED = {"coffee/a.jpg": "chelsea", "brick/b.jpg": "rocket", "grass/c.jpg": "coffee"}


def content(notebook: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(notebook.read_text(encoding="utf-8"))
    return result


def test_the_readme_describes_every_example_and_each_is_run_here() -> None:
    there = {path.name for path in EXAMPLES.iterdir() if not path.name.startswith((".", "__"))}
    known = {"README.md", REVIEW.name, TRAIN.name, RECIPES, SOFT, GATE, PLUGIN}
    assert there == known, "another example needs a test that runs it"
    described = re.findall(r"^## \[(\S+)\]", (EXAMPLES / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert described == [REVIEW.name, TRAIN.name, RECIPES, SOFT, GATE, PLUGIN]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
class TestClean:
    """A notebook as it is committed: nothing of the machine or the person that ran it."""

    def test_it_has_no_outputs_and_no_counts(self, notebook: Path) -> None:
        found = content(notebook)
        assert (found["nbformat"], found["nbformat_minor"]) == (4, 5)
        code = [cell for cell in found["cells"] if cell["cell_type"] == "code"]
        assert code
        assert all(cell["execution_count"] is None and cell["outputs"] == [] for cell in code)
        assert len({cell["id"] for cell in found["cells"]}) == len(found["cells"])
        assert all(set(cell["metadata"]) <= {"tags"} for cell in found["cells"])
        assert set(found["metadata"]) == {"kernelspec", "language_info"}

    def test_it_names_no_absolute_path(self, notebook: Path) -> None:
        for cell in content(notebook)["cells"]:
            assert not ABSOLUTE.search("".join(cell["source"])), cell["id"]

    def test_it_is_written_as_jupyter_writes_it(self, notebook: Path) -> None:
        """So that a change shows in a diff as what it is."""
        as_written = json.dumps(content(notebook), indent=1, ensure_ascii=False) + "\n"
        assert notebook.read_text(encoding="utf-8") == as_written


@pytest.mark.parametrize(
    ("text", "is_absolute"),
    [
        ('Path("/home/anna/photos")', True),
        ("open('/data/x')", True),
        ("see /etc/hosts", True),
        (r'"C:\Users\anna"', True),
        ("file:///srv", True),
        ('here / "photos"', False),
        ('"photos/cat"', False),
        ("~/.url_viz", False),
        ("https://example.org/a", False),
        ("keep/drop, 1/2", False),
    ],
)
def test_absolute_paths_are_told(text: str, is_absolute: bool) -> None:
    assert bool(ABSOLUTE.search(text)) == is_absolute


@dataclass(frozen=True)
class Ran:
    """A notebook that ran: where it wrote, and how the last value of each cell would show, by the cell's id."""

    here: Path
    shown: dict[str, str]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, prepared_as_shipped: Path) -> Ran:
    """The notebook of the review, on the photographs that it names at full size."""
    return run(REVIEW, tmp_path_factory.mktemp("notebook"), prepared_as_shipped)


def run(notebook: Path, here: Path, prepared: Path, *parameters: str, photographs: str = NAMED) -> Ran:
    workspace = Workspace.at(here / "workspace")
    workspace.models.symlink_to(prepared / "models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "PHOTOGRAPHS", {"skimage": ("data", photographs)})
        demo.build_spoiled(workspace)
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(io.StringIO()):
        patch.setattr(socket, "getaddrinfo", lambda *_: pytest.fail("a network is asked for"))
        shown = shown_by(notebook, "; ".join([f"here = Path({str(here)!r})", *parameters]))
    torch.set_num_threads(threads)
    return Ran(here, shown)


def shown_by(notebook: Path, parameters: str) -> dict[str, str]:
    """Run the code cells in one namespace, `parameters` (Python) after the cell with that tag; how each would show."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    shown = {}
    for cell in content(notebook)["cells"]:
        if cell["cell_type"] == "code":
            shown[cell["id"]] = _run_cell("".join(cell["source"]), namespace)
        if "parameters" in cell["metadata"].get("tags", ()):
            exec(parameters, namespace)
    return shown


def _run_cell(source: str, namespace: dict[str, Any]) -> str:
    cell = ast.parse(source)
    last = cell.body[-1]
    if isinstance(last, ast.Expr):
        cell.body[-1] = ast.copy_location(ast.parse("_ = 0").body[0], last)
        cell.body[-1].value = last.value  # type: ignore[attr-defined]
    exec(compile(cell, "cell", "exec"), namespace)
    value = namespace.pop("_", None)
    kinds = (kind for kind, name in SHOWN.items() if hasattr(value, name) and getattr(value, name)())
    return next(kinds, "text/plain")


@pytest.fixture(scope="module")
def table(ran: Ran) -> pd.DataFrame:
    """What the image set holds afterwards, by path."""
    return open_image_set(ran.here / "photos", workspace=ran.here / "workspace").table().set_index("path")


@pytest.mark.slow
class TestReview:
    """What the notebook of the review promises."""

    def test_pictures_map_and_tables_show(self, ran: Ran) -> None:
        assert list(ran.shown) == [cell["id"] for cell in content(REVIEW)["cells"] if cell["cell_type"] == "code"]
        kinds = {"show-pictures": "image/png", "show-card": "image/png", "show-map": "text/html"}
        assert {cell: ran.shown[cell] for cell in kinds} == kinds
        assert {ran.shown[cell] for cell in ("most-ambiguous", "take-back", "take-away")} == {"text/html"}

    def test_the_answers_are_in_the_table_and_the_slip_is_not(self, table: pd.DataFrame) -> None:
        assert table["label"][table["label_checked"].notna()].to_dict() == CORRECTED
        assert {path: path.split("/")[0] for path in CORRECTED} == table["label_given"][list(CORRECTED)].to_dict()
        assert table["decision"].value_counts().to_dict() == {"drop": 2}

    def test_what_it_takes_away_has_the_answers(self, ran: Ran, table: pd.DataFrame) -> None:
        out = ran.here / "out"
        written = pd.read_csv(out / "table.csv").set_index("path")
        assert written["label"].to_dict() == table["label"].to_dict()
        kept = table[table["decision"] != "drop"]
        names = {f"{row.label}/{Path(str(path)).name}" for path, row in kept.iterrows()}
        assert len(names) == len(kept)
        for folder in (out / "folders", out / "hugging-face" / "train"):
            assert {str(path.relative_to(folder)) for path in folder.rglob("*.jpg")} == names
        lines = (out / "hugging-face" / "train" / "metadata.jsonl").read_text(encoding="utf-8").splitlines()
        assert {json.loads(line)["file_name"] for line in lines} == names

    def test_the_pictures_stay_where_they_are(self, ran: Ran, table: pd.DataFrame) -> None:
        photos = ran.here / "photos"
        assert {str(path.relative_to(photos)) for path in photos.rglob("*.jpg")} == set(table.index)
        assert len(table) == 5 * 19


@pytest.mark.slow
def test_trains_records_reviews_and_trains_again(tmp_path_factory: pytest.TempPathFactory, prepared: Path) -> None:
    ran = run(TRAIN, tmp_path_factory.mktemp("trained"), prepared, "epochs = 1", photographs="brick.png coffee.png")
    assert list(ran.shown) == [cell["id"] for cell in content(TRAIN)["cells"] if cell["cell_type"] == "code"]
    assert {ran.shown[cell] for cell in ("show-cases", "show-dynamics")} == {"text/html"}
    image_set = open_image_set(ran.here / "photos", workspace=ran.here / "workspace")
    assert image_set.runs.names() == ("first", "second")
    for name in image_set.runs.names():
        recorded = image_set.runs.get(name)
        assert recorded.words == f"{name}: 1 epoch of 6 folds with held-out pictures, of 2 classes"
        assert (recorded.dynamics.epochs == 1).all()
        assert recorded.is_held_out.all()
    table = image_set.table()
    answered = table["label_checked"].notna()
    moved = table["path"].str.extract(r"/(\w+)-\w+-\d")[0]
    assert moved.notna().sum() == 1, "one in twenty of two photographs in nineteen forms"
    assert (table["label"] == moved.fillna(table["path"].str.split("/").str[0]))[answered].all()
