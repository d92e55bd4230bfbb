"""Imports run one way and in no circle (docs/architecture.md), and slow libraries stay where they are needed."""

import ast
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = [
    "base",
    "imaging",
    "models",
    "store",
    "pipeline",
    "columns",
    "subjects",
    "handle",
    "image_set",
    "drawing",
    "export",
    "jobs",
    "cli",
    "ui",
    "pages",
    "app",
]  # left to right
SUBJECTS = {"labels", "findings", "review", "evidence", "runs", "outside", "versions", "pictures"}
"""Folders of one room: what each computes; its objects on the handle, `set_NAME.py`, stand right of all of them."""
BESIDE = {
    "capabilities": "base",
    "capability": "imaging",
    "parameters": "imaging",
    "core": "handle",
    "column_list": "handle",
    "demo": "image_set",
    "recent_sets": "image_set",
    "reading": "image_set",
    "recording": "image_set",
    "notebook": "ui",
    "second_reading": "image_set",
    "__init__": "image_set",
    "__main__": "cli",
    "metrics": "subjects",
}
"""Files of url_viz that lie in no folder, with the room whose rules they follow."""
ON_TOP = {f"training.{folder}" for folder in ("benchmark", "evaluate", "full", "named_sets")}
"""What stands on top of training: nothing below imports it, and the commands that can use it only when asked to."""
DOORS = {"training.finetune": "training.full", "training.pretrain": "training.benchmark"}
"""The commands that open what stands on top, within a function: --mode full, --develop and --report."""
APART = {"training": {*ROOMS[: ROOMS.index("subjects") + 1], "training"}}
"""Packages beside the app, with the rooms that they may import."""
FILES = [
    *(path for folder in ("url_viz", "training", "pages") for path in sorted((ROOT / folder).rglob("*.py"))),
    ROOT / "app.py",
]
MODULES = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in FILES}


def room_of(module: str) -> str:
    """The room of a module: `url_viz.store.tables.tables` lies in store, `training.train` in training."""
    package, _, rest = module.partition(".")
    first, _, name = (rest or "__init__").partition(".")
    if package != "url_viz":
        return package
    if first in SUBJECTS:
        return "handle" if name.startswith("set_") else "subjects"
    return BESIDE.get(first, first)


def may_import(importer: str, imported: str) -> bool:
    """The rule: a room imports itself and rooms to its left; the app takes from training its configuration alone."""
    here, there = room_of(importer), room_of(imported)
    if imported == "training.config":
        return here in ("jobs", "ui", "training")
    if here in APART:
        return there in APART[here]
    is_left = there in ROOMS and ROOMS.index(there) <= ROOMS.index(here)
    return is_left and (there != "cli" or here == "cli")


def statements(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Statements, and those within them."""
    for one in body:
        yield one
        for field in ("body", "orelse", "finalbody", "handlers", "cases"):
            yield from statements(getattr(one, field, ()))


@dataclass(frozen=True)
class Facts:
    """What this test knows of a file: what it imports, what of that within functions, its classes and its docstring.

    `from x import y` is x.y where that is a module of ours, else x; also what is imported for types.
    """

    imported: set[str]
    late: set[str]
    classes: set[str]
    docstring: str


@cache
def facts_of(path: Path) -> Facts:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    every = list(statements(tree.body))
    inside = [node for one in every if isinstance(one, ast.FunctionDef) for node in statements(one.body)]
    imported = {alias.name for node in every if isinstance(node, ast.Import) for alias in node.names}
    for node in every:
        if isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            imported |= {name if name in MODULES else node.module for name in names}
    late = {node.module for node in inside if isinstance(node, ast.ImportFrom) and node.module}
    classes = {node.name for node in every if isinstance(node, ast.ClassDef)}
    return Facts(imported, late, classes, ast.get_docstring(tree) or "")


def those_that_import(package: str) -> set[str]:
    return {m for m, path in MODULES.items() if any(n.split(".")[0] == package for n in facts_of(path).imported)}


LATE = {
    *("url_viz", "url_viz.__main__", "url_viz.models.model", "url_viz.imaging.limited_readers"),
    *("training.head_finetuning", "training.train", *DOORS),
}
"""Besides commands, the files that import others of ours within a function: only these keep slow libraries away."""


@pytest.mark.slow
def test_imports_within_functions_keep_slow_libraries_away() -> None:
    others = [module for module in MODULES if module not in LATE and room_of(module) not in ("cli", "app")]
    assert not {module: late for module in others if (late := facts_of(MODULES[module]).late & MODULES.keys())}


def package_of(module: str) -> str:
    """The folder of `training` that a module lies in: `training.full` of `training.full.joint`."""
    return ".".join(module.split(".")[:2])


def test_training_of_heads_imports_nothing_that_stands_on_top_of_it() -> None:
    below = {m: facts_of(MODULES[m]) for m in MODULES if room_of(m) == "training" and package_of(m) not in ON_TOP}
    at_once = {(m, package_of(name)) for m, facts in below.items() for name in facts.imported - facts.late}
    assert not [(m, package) for m, package in at_once if package in ON_TOP]
    late = {(m, package_of(name)) for m, facts in below.items() for name in facts.late}
    assert {(m, package) for m, package in late if package in ON_TOP} == set(DOORS.items())
    assert not [m for m, path in MODULES.items() if facts_of(path).imported & DOORS.keys()], (
        "doors are imported by none"
    )


def test_one_module_is_imported_by_its_name_from_the_right() -> None:
    """`--data cub:PATH` names a published set."""
    named = (
        (module, name)
        for module, path in MODULES.items()
        for name in re.findall(r'import_module\("((?:url_viz|training)\.[\w.]+)"\)', path.read_text(encoding="utf-8"))
    )
    upwards = [one for one in named if not may_import(*one) or package_of(one[1]) in ON_TOP]
    assert upwards == [("training.data.spec", "training.named_sets.zero_shot")]


def test_imports_run_one_way() -> None:
    assert not [
        f"{module} ({room_of(module)}) must not import {name}"
        for module, path in MODULES.items()
        for name in sorted(facts_of(path).imported & MODULES.keys())
        if not may_import(module, name)
    ]


def test_no_circle_stands_between_files() -> None:
    imports = {m: (facts_of(p).imported & MODULES.keys()) - {m} for m, p in MODULES.items()}
    while free := {module for module, others in imports.items() if not others}:
        imports = {module: others - free for module, others in imports.items() if module not in free}
    assert not imports, f"each of these imports another one of them: {sorted(imports)}"


def test_only_the_interface_knows_streamlit() -> None:
    knowing = those_that_import("streamlit")
    assert {room_of(module) for module in knowing} <= {"ui", "pages", "app"}, knowing


def test_only_the_cluster_knows_ray() -> None:
    assert those_that_import("ray") == {"url_viz.pipeline.cluster.on_ray"}


def test_each_class_has_a_name_of_its_own() -> None:
    modules = defaultdict(set)
    for module, path in MODULES.items():
        for name in facts_of(path).classes:
            modules[name].add(module)
    assert not {name: sorted(those) for name, those in modules.items() if len(those) > 1}


def test_every_module_says_in_one_sentence_what_it_is_for() -> None:
    first = {module: facts_of(path).docstring.split("\n\n")[0] for module, path in MODULES.items()}
    assert not [module for module, sentence in first.items() if not sentence.endswith((".", ":"))]


AWAY = {
    "url_viz.jobs.runner": "numpy pandas tqdm torch",
    "url_viz.image_set": "torch timm umap openvino lancedb streamlit sklearn scipy.stats skimage ray obstore",
    "training.finetune, training.pretrain": "timm torchvision umap openvino lancedb streamlit sklearn skimage ray",
}
"""What must not be imported with modules, which one process imports in this order."""


@pytest.mark.slow
def test_modules_import_without_what_is_slow_and_seldom_needed() -> None:
    lines = [
        f"import {modules}; print([m for m in {slow.split()} if m in sys.modules])" for modules, slow in AWAY.items()
    ]
    script = "\n".join(["import sys", *lines])
    result = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["[]"] * len(AWAY)


def test_a_file_name_stands_in_one_room() -> None:
    """But for `page.py`, which each page has: an editor opens files by name."""
    places: dict[str, list[Path]] = {}
    for path in FILES:
        places.setdefault(path.name, []).append(path.relative_to(ROOT))
    everywhere = {"__init__.py", "__main__.py", "page.py"}
    assert not {name: paths for name, paths in places.items() if len(paths) > 1 and name not in everywhere}
