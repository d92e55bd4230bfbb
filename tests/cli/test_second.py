"""`embed --also` and `second` on the command line."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import BF16_IS_QUICKER, FLOAT32_IS_QUICKER, SECOND, set_times
from tests.imaging.pictures import write_folder
from url_viz.base.workspace import Workspace
from url_viz.cli.main import main
from url_viz.models.model import Model
from url_viz.second_reading import VARIABLE
from url_viz.store.about import known_sets


@pytest.fixture
def run(
    workspace: Path, head_file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., str]:
    """Run a command on a folder as read by `head_file`; what it prints."""
    monkeypatch.setenv("URL_VIZ_HOME", str(workspace))

    def ran(command: str, folder: Path, *arguments: str, status: int = 0) -> str:
        assert main([*command.split(), str(folder), "--model", str(head_file), *arguments]) == status
        shown = capsys.readouterr()
        return shown.err + shown.out

    return ran


def test_a_second_model_from_reading_to_leaving_it_out(
    tmp_path: Path, head_file: Path, second_model: Model, run: Callable[..., str]
) -> None:
    folder = write_folder(tmp_path / "zoo", 6)
    assert f"and with {SECOND} beside it" in run("embed", folder, "--also", second_model.name)
    assert f"by two models: dice, which looks twice, and {SECOND}" in run("models second", folder)
    assert f"by two models (also {SECOND})" in run("rank", folder)
    assert f"by dice alone; {SECOND} has read the pictures too" in run("models second", folder, "--ask", "no")
    assert "two models" not in run("rank", folder)
    assert "by two models" in run("models second", folder, "--ask", "yes")
    write_folder(folder, 1, start=6)
    said = run("embed", folder)
    assert f"{SECOND} has not read all of these pictures" in said
    assert f"--also {SECOND}" in said
    assert "alone" in run("models second", folder)
    assert "is the first model already" in run("embed", folder, "--also", str(head_file), status=1)


@pytest.mark.usefixtures("second_model")
def test_a_new_folder_is_read_by_a_second_model_unless_it_is_switched_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Callable[..., str]
) -> None:
    def read(name: str, *options: str) -> str:
        return run("embed", write_folder(tmp_path / name, 6), "--device", "cpu", *options)

    assert SECOND not in read("switched off for all")
    monkeypatch.delenv(VARIABLE)
    assert SECOND not in read("switched off", "--one-model")
    said = read("new")
    assert said.index("neighbours 6 of 6") < said.index(f"read, {SECOND} 6 of 6") < said.index("by two models: dice")
    assert f"models second {tmp_path / 'new'} --ask no" in said
    assert f"and with {SECOND} beside it" in said


@pytest.mark.usefixtures("second_model")
@pytest.mark.parametrize("options", [("--also", SECOND), ()], ids=["named", "unasked"])
def test_the_second_reads_in_the_precision_of_the_first_whatever_was_measured_of_it(
    workspace: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, run: Callable[..., str], options: tuple[str, ...]
) -> None:
    set_times(workspace, BF16_IS_QUICKER)
    set_times(workspace, FLOAT32_IS_QUICKER, name=SECOND)
    monkeypatch.delenv(VARIABLE)
    run("embed", folder, "--device", "cpu", *options)
    [(_, about)] = known_sets(Workspace.at(workspace))
    assert [space.precision for space in about.spaces] == ["bf16", "bf16"]
