"""The hooks for pre-commit check what `make quick` checks, with the tools of `.venv`, and refuse what they should."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
HOOKS = {
    hook["id"]: hook
    for repository in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    for hook in repository["hooks"]
}


def run(hook: str, *words: str, folder: Path = ROOT) -> int:
    """The exit status of a hook's command, with the tools of the environment that runs this test."""
    command = [
        word.replace(".venv/bin", str(Path(sys.executable).parent)) for word in shlex.split(HOOKS[hook]["entry"])
    ]
    return subprocess.run([*command, *words], cwd=folder, capture_output=True, check=False, timeout=120).returncode


def test_the_linters_of_make_quick_have_a_hook_each() -> None:
    recipe = re.search(r"^quick:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert recipe
    linters = [line.split()[0].removeprefix("$(BIN)/") for line in recipe[1].splitlines() if "pytest" not in line]
    of_hooks = [shlex.split(hook["entry"])[0] for hook in HOOKS.values()]
    assert [name.removeprefix(".venv/bin/") for name in of_hooks][: len(linters)] == linters == ["ruff", "ruff", "mypy"]


def test_nothing_is_fetched() -> None:
    assert {hook["language"] for hook in HOOKS.values()} == {"system"}


def test_files_that_hooks_name_are_there() -> None:
    named = [word for hook in HOOKS.values() for word in shlex.split(hook["entry"]) if word.endswith(".py")]
    assert named
    assert all((ROOT / name).is_file() for name in named)


def test_ruff_lays_out_and_refuses(tmp_path: Path) -> None:
    file = tmp_path / "one.py"
    file.write_text('"""One."""\nimport os\nx = {  "a":1 }\n')
    assert run("ruff-check", str(file)) == 1, "os is not used"
    assert run("ruff-format", str(file)) == 0
    assert file.read_text() == '"""One."""\n\nimport os\n\nx = {"a": 1}\n'
    file.write_text('"""One."""\n')
    assert run("ruff-check", str(file)) == 0


@pytest.mark.slow
def test_mypy_checks_our_code_strictly_and_what_tests_give_to_it(tmp_path: Path) -> None:
    """In files of their own, so that the libraries that ours imports are not gone through again."""
    ours, test = tmp_path / "ours.py", tmp_path / "tests" / "test_ours.py"
    test.parent.mkdir()
    test.with_name("__init__.py").touch()
    words = ["--config-file", str(ROOT / "pyproject.toml"), "ours.py", "tests/test_ours.py"]
    typed = "def half(number: int) -> float:\n    return number / 2\n"
    untyped = "def half(number):\n    return number / 2\n"
    for code, given, status in ((typed, "4", 0), (typed, "'4'", 1), (untyped, "4", 1)):
        ours.write_text(code)
        test.write_text(f"from ours import half\n\n\ndef test_half():\n    assert half({given}) == 2\n")
        assert run("mypy", *words, folder=tmp_path) == status, (code, given)


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_conflict_markers_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "page.md"
    for text, status in (("one\n", 0), ("<<<<<<< ours\none\n", 2), ("one  \n", 2)):
        file.write_text(text)
        for words in (["init", "--quiet"], ["add", "page.md"]):
            subprocess.run(["git", *words], cwd=tmp_path, check=True, timeout=120)
        assert run("whitespace", folder=tmp_path) == status, text
