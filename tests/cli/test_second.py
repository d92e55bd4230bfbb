"""`embed --also` and `second` on the command line."""

from pathlib import Path

import pytest

from tests.conftest import SECOND
from tests.imaging.pictures import write_folder
from url_viz.cli.main import main
from url_viz.models.model import Model
from url_viz.second_reading import VARIABLE


def test_a_second_model_from_reading_to_leaving_it_out(
    tmp_path: Path,
    workspace: Path,
    head_file: Path,
    second_model: Model,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("URL_VIZ_HOME", str(workspace))
    folder = write_folder(tmp_path / "zoo", 6)

    def run(command: str, *arguments: str, status: int = 0) -> str:
        assert main([command, str(folder), "--model", str(head_file), *arguments]) == status
        shown = capsys.readouterr()
        return shown.err + shown.out

    assert f"and with {SECOND} beside it" in run("embed", "--also", second_model.name)
    assert f"by two models: dice and {SECOND}" in run("second")
    assert f"by two models (also {SECOND})" in run("rank")
    assert f"by dice alone; {SECOND} has read the pictures too" in run("second", "--ask", "no")
    assert "two models" not in run("rank")
    assert "by two models" in run("second", "--ask", "yes")
    write_folder(folder, 1, start=6)
    said = run("embed")
    assert f"{SECOND} has not read all of these pictures" in said
    assert f"--also {SECOND}" in said
    assert "alone" in run("second")
    assert "is the model itself" in run("embed", "--also", str(head_file), status=1)


def test_a_new_folder_is_read_by_a_second_model_unless_it_is_switched_off(
    tmp_path: Path,
    workspace: Path,
    head_file: Path,
    second_model: Model,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("URL_VIZ_HOME", str(workspace))

    def read(name: str, *options: str) -> str:
        folder = write_folder(tmp_path / name, 6)
        assert main(["embed", str(folder), "--model", str(head_file), "--device", "cpu", *options]) == 0
        shown = capsys.readouterr()
        return shown.err + shown.out

    assert SECOND not in read("switched off for all")
    monkeypatch.delenv(VARIABLE)
    assert SECOND not in read("switched off", "--one-model")
    said = read("new")
    assert said.index("neighbours 6 of 6") < said.index(f"read, {SECOND} 6 of 6") < said.index("by two models: dice")
    assert f"second {tmp_path / 'new'} --ask no" in said
    assert f"and with {SECOND} beside it" in said
