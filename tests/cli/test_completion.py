"""Completion in a shell: bash runs the script that is printed."""

import subprocess
from functools import cache

import pytest

from url_viz.capabilities import places
from url_viz.cli.completion import completion


@cache
def script(shell: str) -> str:
    return completion(shell)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        (["la"], "labels"),
        (["labels", "dou"], "doubtful"),
        (["labels", "doubtful", "photos", "--ki"], "--kind"),
        (["labels", "doubtful", "photos", "--kind", "be"], "between-classes"),
        (["train", "adapt", "photos", "--leew"], "--leeway"),
        (["completion", "fi"], "fish"),
        (["labels", "doubtful", "/usr/bi"], "/usr/bin"),
    ],
)
def test_bash_completes_words_options_choices_and_files(typed: list[str], completed: str) -> None:
    asked = f"COMP_WORDS=(url-viz {' '.join(typed)}); COMP_CWORD={len(typed)}; _url_viz; echo ${{COMPREPLY[@]}}"
    done = subprocess.run(["bash", "-c", f"{script('bash')}\n{asked}"], check=True, capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == (completed, "")


def test_each_shell_knows_every_command() -> None:
    assert script("zsh").startswith("autoload -U +X bashcompinit && bashcompinit\n")
    assert script("zsh").endswith(script("bash"))
    for words in places():
        assert f'"{" ".join(words)}") words=' in script("bash")
        assert f"-a {words[-1]} -d " in script("fish")
