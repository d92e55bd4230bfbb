"""The documentation is true where a machine can tell: links lead somewhere, commands exist, options are known."""

import ast
import re
import runpy
import shlex
import tomllib
from collections import Counter
from os.path import normpath
from pathlib import Path

import pytest

from tests.commands import help_of
from tests.given import by_turns, given_set
from url_viz.capabilities import places
from url_viz.cli.doors import parse_words
from url_viz.cli.help import find_words
from url_viz.jobs.kinds import ADAPTED, BY_NEIGHBOURS, FINETUNED, FINETUNED_ON, STUDIED

ROOT = Path(__file__).parent.parent
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "examples" / "README.md",
    ROOT / "experiments" / "README.md",
]
LINK = re.compile(r"\]\((?!https?://)([^)#\s]*)(?:#([^)\s]*))?[^)]*\)")
"""A link within the checkout: its file (none: this page) and its anchor."""
SITE = ROOT / "docs" / "site"
OURS = re.compile(r"`((?:url_viz|training|tools|pages|tests|benchmarks|experiments|docs|examples)/[\w./]*)`")
NAME = re.compile(r"`([\w.-]+)(?<!\.py)`")
IN_FILE = re.compile(r"`([\w/]+/\w+\.(?:py|js))`: ((?:`[\w.]+`(?:, | and )?)+)")
"""A file, a colon, and names of what is in it."""
FROM_FILE = re.compile(r"((?:`[\w.]+`(?:, | and )?)+) (?:in|of) `([\w/]+/\w+\.(?:py|js))`")
"""Names, and the file that they are in."""
ARCHITECTURE = ROOT / "docs" / "architecture.md"
COMMAND = re.compile(
    r"^ {4}(?:python -m )?((?<=python -m )(?:training|tools|experiments)\b.*|url-viz .*)$", re.MULTILINE
)

IN_TEXT = re.compile(r"`(?:url-viz )?([a-z-]+ [\w-][^`\n]*)`")


def commands() -> list[str]:
    found = [line.split("  #")[0].strip() for page in PAGES for line in COMMAND.findall(page.read_text())]
    return sorted(set(found))


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and the site make them."""
    found: Counter[str] = Counter()
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for heading in re.findall(r"^#+ +(.+?)\s*$", text, re.MULTILINE):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        found[re.sub(r"[^\w\- ]", "", words).replace(" ", "-")] += 1
    return {f"{slug}-{n}" if n else slug for slug, count in found.items() for n in range(count)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_blocks_of_code_end_and_python_parses(page: Path) -> None:
    text = page.read_text("utf-8")
    fences = re.findall(r"^```.*$", text, re.MULTILINE)
    assert text.count("```") == len(fences), "a fence stands in a line of text"
    assert all(fence == "```" for fence in fences[1::2])
    assert len(fences) % 2 == 0
    for block in re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        ast.parse(block)


def test_anchors_are_those_of_a_code_host(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# What `x_y` is – *in* [words](a.md)!\n\n```\n# a comment\n```\n\n## Twice\n\n## Twice\n")
    assert anchors(page) == {"what-x_y-is--in-words", "twice", "twice-1"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in LINK.findall(page.read_text("utf-8")):
        file = page.parent / target if target else page
        assert file.exists(), f"{page.name} links to {target}"
        assert not anchor or anchor in anchors(file), f"{page.name} links to {target}#{anchor}"


def test_the_site_has_every_page_in_its_menu_and_links_within_it() -> None:
    site = runpy.run_path(str(SITE / "build.py"))
    files = site["places"]()
    pages = {*(place for place in files.values() if place.endswith(".md")), site["LIST_OF_FILES"]}
    menu = tomllib.loads((SITE / "zensical.toml").read_text("utf-8"))["project"]["nav"]
    assert sorted(page for group in menu for pages in group.values() for page in pages) == sorted(pages)
    for path, place in files.items():
        if place in pages:
            text = site["led_anew"](path.read_text("utf-8"), page=path, files=files)
            assert all(normpath(Path(place).parent / to) in files.values() for to, _ in LINK.findall(text) if to), place


@pytest.mark.slow
def test_the_site_lists_every_file_of_the_package() -> None:
    page = runpy.run_path(str(SITE / "build.py"))["list_of_files"]()
    assert "| `build.py` |" not in page
    assert "## `url_viz/pipeline/`\n" in page
    assert "| `embed.py` | The pipeline: read what is new in a folder, embed it" in page
    names = Counter(re.findall(r"^\| `([\w.]+)` \| \w", page, re.MULTILINE))
    files = [path for folder in ("url_viz", "training", "pages") for path in (ROOT / folder).rglob("*.py")]
    assert names == Counter(path.name for path in files if path.name != "__init__.py")


def test_installing_says_what_every_dependency_is_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    text = (ROOT / "docs" / "install.md").read_text("utf-8")
    named = {name for row in re.findall(r"^\|([^|]*)\|", text, re.MULTILINE) for name in NAME.findall(row)}
    assert {re.split(r"[<>=!]", line)[0] for line in project["dependencies"]} <= named
    assert all(f"`{extra}` (" in " ".join(text.split()) for extra in project["optional-dependencies"])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_pages_name_are_there(page: Path) -> None:
    named = [name for name in OURS.findall(page.read_text()) if "NAME" not in name]
    gone = [name for name in named if not (ROOT / name).exists()]
    assert not gone, f"{page.name} names {gone}"


def test_what_the_architecture_names_in_a_file_is_in_it() -> None:
    text = " ".join(ARCHITECTURE.read_text().split())
    pairs = [*IN_FILE.findall(text), *((file, names) for names, file in FROM_FILE.findall(text))]
    found = [(file, name) for file, names in pairs for name in NAME.findall(names)]
    assert len(found) > 80
    gone = [(file, name) for file, name in found if name.split(".")[-1] not in (ROOT / file).read_text()]
    assert not gone


def test_modules_that_docstrings_name_are_there_and_have_what_is_named() -> None:
    rooms = "|".join(["url_viz", "training", *(place.name for place in (ROOT / "url_viz").iterdir() if place.is_dir())])
    dotted, gone = re.compile(rf"`((?:{rooms})(?:\.\w+)+)(?<!\.py)`"), []
    for file in (file for room in ("url_viz", "training", "pages") for file in (ROOT / room).rglob("*.py")):
        gone += [f"{file.relative_to(ROOT)}: {name}" for name in dotted.findall(file.read_text()) if not is_there(name)]
    assert not gone


def is_there(name: str) -> bool:
    """Whether a dotted name leads to a folder or file, whose text has what is left of it; url_viz may be left out.

    `labels.use` is also a method of the subject on the handle, in the `set_*.py` of its folder.
    """
    place, left = ROOT if name.startswith(("url_viz", "training")) else ROOT / "url_viz", name.split(".")
    while left and (place / left[0]).is_dir():
        place /= left.pop(0)
    if any(re.search(rf"\bdef {'.'.join(left)}\b", file.read_text()) for file in place.glob("set_*.py")):
        return True
    place = place / (f"{left.pop(0)}.py" if left and (place / f"{left[0]}.py").exists() else "__init__.py")
    return not left or (place.exists() and all(re.search(rf"\b{part}\b", place.read_text()) for part in left))


def test_the_api_reference_has_every_subject_of_an_image_set(tmp_path: Path) -> None:
    listed = re.findall(r"^::: (url_viz[\w.]*)$", (SITE / "api.md").read_text(), re.MULTILINE)
    assert all(is_there(name) for name in listed)
    subjects = {type(value) for on, value in vars(given_set(tmp_path, by_turns(2))).items() if not on.startswith("_")}
    ours = {f"{one.__module__}.{one.__name__}" for one in subjects if one.__module__.startswith("url_viz.")}
    assert {name for name in ours if ".Set" in name} - {"url_viz.core.SetCore"} <= set(listed)


def test_what_is_said_before_a_head_is_adapted_is_what_was_measured() -> None:
    text = (ROOT / "docs" / "training.md").read_text()
    assert text.count(f"({STUDIED:,})") == 3
    for row, figure in ((r"\*\*learns confusability\*\* \(default\)", ADAPTED), ("confusability", BY_NEIGHBOURS)):
        found = re.search(rf"^\| {row} +\| (\.\d+) ", text, re.MULTILINE)
        assert found is not None
        assert round(float(found[1]), 2) == figure
    for name, before, after in FINETUNED:
        row = re.search(rf"^\| {name} +\| (\d+) +\| \d+ +\| (\.\d+) → (\.\d+) ", text, re.MULTILINE)
        assert row is not None
        assert round(int(row[1]), -1) in range(FINETUNED_ON - 30, FINETUNED_ON + 30)
        assert (round(float(row[2]), 2), round(float(row[3]), 2)) == (before, after)


@pytest.mark.slow
@pytest.mark.parametrize("line", commands())
def test_commands_exist_and_know_their_options(line: str) -> None:
    words = [word for word in shlex.split(line) if word != "…"]
    if words[0] == "url-viz":
        found = find_words(words[1:])
        given = words[1 + len(found or ()) :]
        parse_words(places()[found or ("open",)].load(), given)  # ends the process for what is no option of it
        return
    text = help_of(words[0])
    for option in (word.split("=")[0] for word in words if word.startswith("--")):
        assert option in text, f"`python -m {line}`: no {option}"


def test_commands_in_a_sentence_exist() -> None:
    """Those that begin with a subject, such as `labels use`; the change log has the old ones, too."""
    files = [*PAGES, *(ROOT / "url_viz").rglob("*.py")]
    found = [
        (file, line) for file in files if file.name != "CHANGELOG.md" for line in IN_TEXT.findall(file.read_text())
    ]
    subjects = {words[0] for words in places() if len(words) > 1}
    of_subjects = [(file, line) for file, line in found if line.split()[0] in subjects]
    assert len(of_subjects) > 20
    assert not [(file, line) for file, line in of_subjects if find_words(line.split()) is None]


def test_what_make_runs_is_a_command() -> None:
    lines = re.findall(r"url-viz ([a-z-]+(?: [a-z-]+)*)", (ROOT / "Makefile").read_text())
    assert lines
    assert all(find_words(line.split()) is not None for line in lines)


def test_there_are_commands_to_check() -> None:
    assert len(commands()) > 8
