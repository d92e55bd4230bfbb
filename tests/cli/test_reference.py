"""The page of capabilities and completion are those of the signatures, and examples do what they say on 24 pictures."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

from tests.given import by_turns, given_set
from url_viz.capabilities import places
from url_viz.cli.completion import completion
from url_viz.cli.main import main
from url_viz.cli.reference import EXAMPLES, PAGE, as_python, example_of, page_with
from url_viz.image_set import PUBLIC, ImageSet
from url_viz.jobs.calls import call

ROOT = Path(__file__).parents[2]
PARSED_ALONE = {
    *("open", "demo", "embed", "check", "search", "sort-new", "models prepare", "models compare"),  # a server, models
    *("train adapt", "train finetune", "train pretrain", "runs detections", "export annotations"),  # training, objects
    *("undo", "redo", "sets move", "sets unpack", "sets drop-model"),  # what others must have done before
    "explain",  # of given embeddings a picture has no heat, and here no name of a class folder of the page
}
"""Examples that are not run here: tests of their own run these commands."""


def test_the_page_is_made_of_the_signatures() -> None:
    text = (ROOT / PAGE).read_text("utf-8")
    assert text == page_with(text), "run: python -m url_viz.cli.reference"


def test_every_example_is_of_a_command() -> None:
    assert {tuple(words.split()) for words in EXAMPLES} <= places().keys()


def test_a_call_reads_in_python_as_one_would_guess() -> None:
    assert as_python(call("labels worth", folder=Path("photos"), seeds=2)) == ["image_set.labels.worth(seeds=2)"]
    assert as_python(call("rank", folder=Path("photos"), within_class=True)) == ["image_set.rank(within_class=True)"]


def test_completion_offers_what_is_documented(tmp_path: Path) -> None:
    image_set = given_set(tmp_path, by_turns(6))
    offered = {name for name in dir(image_set) if not name.startswith("__")}
    assert offered == set(PUBLIC)
    assert all(hasattr(image_set, name) for name in offered)


@pytest.fixture(scope="module")
def image_set(tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    base = tmp_path_factory.mktemp("examples")
    found = given_set(base, by_turns(24))
    table = found.table()
    (base / "ids.txt").write_text("\n".join(map(str, table["id"][:12])))
    pd.DataFrame({"path": table["path"], "risk": range(24)}).to_csv(base / "scores.csv", index=False)
    shares = pd.DataFrame({"path": table["path"], "cat": 0.4, "dog": 0.6})
    shares.to_csv(base / "predictions.csv", index=False)
    found.answers.give({})
    return found


@pytest.fixture
def here(image_set: ImageSet, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    base = image_set.root.parent
    monkeypatch.chdir(base)
    monkeypatch.setenv("URL_VIZ_HOME", str(image_set.workspace.root))
    (base / "out").mkdir(exist_ok=True)
    yield base
    shutil.rmtree(base / "out")


def test_json_is_json(here: Path, image_set: ImageSet, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(image_set.root)
    for words in ("labels doubtful", "labels list", "twins list", "columns list", "versions list", "models list"):
        on = [folder] if words != "models list" else []
        assert main([*words.split(), *on, "--json"]) == 0
        json.loads(capsys.readouterr().out)


@pytest.mark.slow
def test_the_examples_do_what_they_say(here: Path, image_set: ImageSet, capsys: pytest.CaptureFixture[str]) -> None:
    ours = str(image_set.root.relative_to(here)) + "/"
    tried = [words for words in places() if " ".join(words) not in PARSED_ALONE and words != ("sets", "forget")]
    first = sorted(tried, key=lambda words: (words[-1] not in ("add", "ask"), words[-1] == "remove"))
    for words in [*first, ("sets", "forget")]:
        arguments = [ours if word == "photos/" else word for word in example_of(places()[words].load())]
        if words == ("answers", "give"):
            pairs = pd.read_csv(here / "pairs.csv").assign(same="yes")
            pairs.to_csv(here / "answers.csv", index=False)
        status = main(arguments)
        shown = capsys.readouterr()
        assert status == 0, (arguments, shown.err)


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
