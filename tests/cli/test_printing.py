"""What commands print: no escape and no command of a pipeline, and commands that can be pasted into a shell."""

import ast
import io
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cli.conftest import Run
from tests.given import by_turns, given_set
from url_viz.base.command_line import PrintableOutput
from url_viz.base.errors import UrlVizError
from url_viz.base.wording import inert
from url_viz.cli.main import main
from url_viz.image_set import ImageSet, open_image_set
from url_viz.store.sets import drop_model, move

ROOT = Path(__file__).parents[2]
VALUE = "\0"
BY_HAND = re.compile(rf"(?:python -m (?:url_viz|training)|url-viz) [a-z][^`\n.;:)]*{VALUE}")
SUGGESTED = re.compile(r"url-viz ((?:'[^']*'|[^`\n;])+)")


@pytest.fixture(scope="module")
def image_set(tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    base = tmp_path_factory.mktemp("base") / 'it\'s my "trip" & more'
    base.mkdir()
    return given_set(base, by_turns(24))


def suggested(said: str) -> list[str]:
    """The words of the one command that a text suggests, as a shell reads them."""
    [command] = SUGGESTED.findall(said)
    return shlex.split(command)


def test_of_a_folder_with_spaces_and_quotes_by_commands(
    image_set: ImageSet, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, home = str(image_set.root), str(image_set.workspace.root)
    image_set.labels.use(None)
    assert suggested(run("models evaluate", status=1)) == ["labels", "list", root]
    image_set.labels.use("folders")
    unread = image_set.root / "cat"
    capsys.readouterr()
    assert main(["columns", "list", str(unread), "--workspace", home]) == 1
    assert suggested(capsys.readouterr().err.partition(" `url-viz sets list`")[0]) == ["embed", str(unread)]
    packed = tmp_path / 'my "trip" isn\'t over.tar'
    assert main(["sets", "pack", root, str(packed), "--workspace", home]) == 0
    assert suggested(capsys.readouterr().out) == ["sets", "unpack", packed.name, "--root", "FOLDER"]


def test_of_a_folder_with_spaces_and_quotes_by_errors_of_python(image_set: ImageSet) -> None:
    root, home = image_set.root, image_set.workspace.root
    assert suggested(image_set.splits.listed_only) == ["splits", "leaks", str(root)]
    for act, words in (
        (lambda: drop_model(root, image_set.space.backbone, workspace=home), ["sets", "forget", str(root)]),
        (lambda: move(root, root, workspace=home), ["sets", "forget", str(root)]),
        (lambda: open_image_set(root / "dog", workspace=home), ["embed", str(root / "dog")]),
    ):
        with pytest.raises(UrlVizError) as caught:
            act()
        assert suggested(str(caught.value).partition(" `url-viz sets list`")[0]) == words


def f_strings(file: Path) -> Iterator[str]:
    """The f-strings of a file, with VALUE where a value stands; what `command` gives is none."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else VALUE for part in node.values)


@pytest.mark.slow
def test_no_text_quotes_a_name_in_a_command_by_itself() -> None:
    files = [
        ROOT / "app.py",
        *(file for room in ("url_viz", "training", "pages") for file in (ROOT / room).rglob("*.py")),
    ]
    by_hand = [
        f"{file.relative_to(ROOT)}: {text!r}" for file in files for text in f_strings(file) if BY_HAND.search(text)
    ]
    assert not by_hand


TEXTS = st.lists(st.one_of(st.text(max_size=8), st.text(" :#\n[]evso\t\r\x0b", max_size=12)), max_size=6)


def printed(*texts: str) -> str:
    file = io.StringIO()
    output = PrintableOutput(cast(TextIO, file))
    for text in texts:
        output.write(text)
    return file.getvalue()


@given(TEXTS)
def test_no_line_begins_a_command_however_it_is_written(texts: list[str]) -> None:
    whole = [f"{text}." for text in texts]  # nothing begins in one text and goes on in the next
    shown = printed(*whole)
    assert all(c.isprintable() or c in "\n\u2060" for c in shown)
    assert not [line for line in shown.split("\n") if line.strip().startswith("::")]
    assert "##[" not in shown
    assert shown.replace("\u2060", "") == "".join(printed(text).replace("\u2060", "") for text in whole)


@pytest.mark.parametrize("text", ["a::b", "std::vector", "# [1]", "##", "a\n b", "", "::".join("ab")])
def test_other_text_stays(text: str) -> None:
    assert printed(text) == text == inert(text)


def test_blanks_before_it_do_not_hide_one() -> None:
    assert printed("    ", "::error::x", "\n", "::stop") == "    :\u2060:error::x\n:\u2060:stop"
    assert inert("x ##teamcity[a] ##[b]") == "x #\u2060#teamcity[a] #\u2060#[b]"


def test_what_the_encoding_of_the_output_lacks_is_escaped() -> None:
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    PrintableOutput(file).write("R-AUROC .78 – “é…”\n")
    file.seek(0)
    assert file.read() == "R-AUROC .78 \\u2013 \\u201c\\xe9\\u2026\\u201d\n"
