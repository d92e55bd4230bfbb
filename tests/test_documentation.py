"""The documentation is true where a machine can tell: links lead somewhere, commands exist, options are known."""

import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
COMMAND = re.compile(r"^ {4}python -m ((?:url_viz|training|tools)\b.*)$", re.MULTILINE)


def commands() -> list[str]:
    found = [line.split("  #")[0].strip() for page in PAGES for line in COMMAND.findall(page.read_text())]
    return sorted(set(found))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@cache
def help_of(*words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *words, "--help"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("line", commands())
def test_commands_exist_and_know_their_options(line: str) -> None:
    words = [word for word in shlex.split(line) if word != "…"]
    program = words[:2] if words[0] == "url_viz" else words[:1]
    told = help_of(*program)
    for option in (word.split("=")[0] for word in words if word.startswith("--")):
        assert option in told, f"`python -m {line}`: no {option}"


def test_there_are_commands_to_check() -> None:
    assert len(commands()) > 8
