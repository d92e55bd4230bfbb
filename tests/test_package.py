"""The package: its wheel holds what it needs, and installed elsewhere it reads pictures, adapts and opens the app."""

import email
import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
import urllib.error
import urllib.request
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

import url_viz
from tests.browser.fixtures import await_health, free_port
from tests.imaging.pictures import write_folder
from url_viz.base.processes import child_variables
from url_viz.base.workspace import HOME_VARIABLE
from url_viz.models.model_names import DEFAULT

ROOT = Path(__file__).parent.parent
EXTRAS = ("skimage", "h5py", "obstore", "ray", "pydicom")
"""What only the extras `photographs`, `train`, `bucket`, `ray` and `medical` bring."""

JOB = """
import sys, time
import url_viz, url_viz.metrics
print(url_viz.__version__, url_viz.metrics.r_auroc([.1, .2, .9], [True, True, False]), url_viz.__file__)
from url_viz.jobs import start_job
from url_viz.base.workspace import Workspace
told = "import os, training.config, url_viz; print('found', url_viz.__file__, os.environ.get('PYTHONPATH'))"
job = start_job(["-c", told], kind="test", title="Look", workspace=Workspace.at(sys.argv[1]))
while job.status().is_live:
    time.sleep(.05)
print(job.paths.log.read_text())
"""
PAGES = """
import sys
from pathlib import Path
from streamlit.testing.v1 import AppTest
script = Path(sys.argv[1])
at = AppTest.from_file(str(script), default_timeout=120).run()
for page in sorted((script.parent / "pages").glob("*.py")):
    at.switch_page(f"pages/{page.name}").run()
    assert not at.exception, (page, at.exception)
    print(page.stem)
"""


def requirements(name: str) -> list[str]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return sorted(line for line in lines if line and not line.startswith(("#", "-r")))


def configuration(table: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))[table]


def test_requirements_say_what_the_package_says() -> None:
    project = configuration("project")
    extras = project["optional-dependencies"]
    assert requirements("requirements.txt") == sorted(project["dependencies"])
    optional = {line for lines in extras.values() for line in lines}
    needed = {*optional, *configuration("build-system")["requires"]}
    assert needed <= set(requirements("requirements-dev.txt"))


def test_native_windows_is_refused_at_the_first_import_with_what_to_do() -> None:
    for package in ("url_viz", "url_viz.jobs", "training"):
        told = subprocess.run(
            [sys.executable, "-c", f"import sys; sys.platform = 'win32'; import {package}"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        ).stderr.splitlines()[-1]
        assert told == (
            "ImportError: URL-Viz does not run on native Windows: install and run it in WSL 2, which is a Linux."
        )


def test_a_checkout_leads_its_processes_to_itself_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["", "/else", str(ROOT)]))
    assert child_variables()["PYTHONPATH"] == os.pathsep.join([str(ROOT), "/else"])
    monkeypatch.delenv("PYTHONPATH")
    assert child_variables()["PYTHONPATH"] == str(ROOT)


@dataclass(frozen=True)
class Installed:
    """The wheel, installed in an environment of its own, and a user's folder, whose Python files have names of ours."""

    wheel: Path
    environment: Path
    folder: Path

    def command(self, *words: str) -> list[str]:
        return [str(self.environment / "bin" / words[0]), *words[1:]]

    @property
    def variables(self) -> dict[str, str]:
        return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}

    def run(self, *words: str) -> str:
        done = subprocess.run(
            self.command(*words),
            cwd=self.folder,
            env=self.variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=280,
        )
        assert done.returncode == 0, f"{words}: {done.stdout}\n{done.stderr}"
        return done.stdout

    @property
    def package(self) -> Path:
        (found,) = self.environment.glob("lib/python*/site-packages/url_viz")
        return found


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Built and installed with pip; the environment sees this one's libraries, but not what only the extras bring."""
    home = tmp_path_factory.mktemp("package")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(home), str(ROOT)]
    subprocess.run(build, check=True, timeout=280)
    (wheel,) = home.glob("*.whl")
    environment = home / "environment"
    venv.create(environment, symlinks=True)
    (site,) = environment.glob("lib/python*/site-packages")
    libraries = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    without = f"import sys; sys.modules.update(dict.fromkeys({EXTRAS!r}))"
    (site / "libraries.pth").write_text("\n".join([*libraries, without, ""]), encoding="utf-8")
    target = [*pip, "--python", str(environment / "bin" / "python"), "install", "--no-deps", str(wheel)]
    subprocess.run(target, check=True, timeout=280)
    folder = home / "work"
    folder.mkdir()
    for name in ("numpy", "streamlit", "training", "url_viz"):
        (folder / f"{name}.py").write_text("raise SystemExit('the wrong module')\n", encoding="utf-8")
    return Installed(wheel, environment, folder)


@pytest.mark.slow
class TestInstalled:
    def test_the_wheel_holds_the_package_alone(self, installed: Installed) -> None:
        names = set(zipfile.ZipFile(installed.wheel).namelist())
        assert {name.split("/")[0] for name in names} == {
            "url_viz",
            "training",
            f"url_viz-{url_viz.__version__}.dist-info",
        }
        tracked = [path for top in ("url_viz", "training") for path in (ROOT / top).rglob("*") if path.is_file()]
        ours = {str(path.relative_to(ROOT)) for path in tracked if "__pycache__" not in path.parts}
        app = {f"url_viz/_app/pages/{path.name}" for path in (ROOT / "pages").glob("*.py")}
        app |= {"url_viz/_app/app.py", "url_viz/_app/.streamlit/config.toml"}
        assert {name for name in names if ".dist-info/" not in name} == ours | app

    def test_its_metadata_says_what_it_is(self, installed: Installed) -> None:
        wheel = zipfile.ZipFile(installed.wheel)
        info = f"url_viz-{url_viz.__version__}.dist-info"
        metadata = email.message_from_bytes(wheel.read(f"{info}/METADATA"))
        assert {"url_viz/py.typed", "training/py.typed", f"{info}/licenses/LICENSE"} <= set(wheel.namelist())
        assert "Typing :: Typed" in metadata.get_all("Classifier", [])
        assert (metadata["License-Expression"], metadata["License-File"]) == ("Apache-2.0", "LICENSE")
        assert "label errors" in metadata["Keywords"]
        assert metadata["Author"] == "The URL-Viz developers"
        assert metadata.get_all("Project-URL") == ["Paper, https://arxiv.org/abs/2402.16569"]
        assert metadata["Description-Content-Type"] == "text/markdown"
        readme = metadata.get_payload(decode=True).decode()
        assert readme.startswith("# URL-Viz\n")
        assert len(readme) > 0.8 * len((ROOT / "README.md").read_text(encoding="utf-8"))
        leads_to = re.findall(r"\]\(([^)]*)\)", readme)
        assert leads_to
        assert all(one.startswith(("https://", "#")) for one in leads_to)

    def test_the_command_reads_pictures(self, installed: Installed, prepared: Path, tmp_path: Path) -> None:
        pictures = write_folder(tmp_path / "zoo", 4)
        told = installed.run("url-viz", "embed", str(pictures), "--workspace", str(prepared))
        assert told.startswith("4 pictures in ")
        assert f"read with {DEFAULT} on" in told
        told = installed.run("url-viz", "--help")
        assert told.startswith("usage: url-viz ")
        assert "open the app" in told

    def test_it_is_imported_from_any_folder_and_jobs_find_it_without_a_path(
        self, installed: Installed, tmp_path: Path
    ) -> None:
        told = installed.run("python", "-P", "-c", JOB, str(tmp_path))
        assert told.split()[:3] == [url_viz.__version__, "1.0", str(installed.package / "__init__.py")]
        assert f"found {installed.package / '__init__.py'} None" in told

    def test_adapting_needs_no_extra(
        self, installed: Installed, prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(HOME_VARIABLE, str(prepared))
        pictures, out = write_folder(tmp_path / "zoo", 16), tmp_path / "head"
        data = ["--data", str(pictures), "--model", DEFAULT, "--out", str(out)]
        short = ["--device", "cpu", "--epochs", "1", "--views", "1", "--held-out", "0.3"]
        installed.run("python", "-P", "-m", "training.finetune", *data, *short)
        assert list(out.rglob("*.safetensors"))

    def test_every_page_opens(self, installed: Installed) -> None:
        told = installed.run("python", "-P", "-c", PAGES, str(installed.package / "_app" / "app.py"))
        assert told.split() == sorted(path.stem for path in (ROOT / "pages").glob("*.py"))

    def test_the_command_opens_the_app(self, installed: Installed) -> None:
        told = opened_app(installed, "url-viz --server.port=8501 --server.headless=true", {}, refusal="404")
        assert "usage statistics" not in told  # so the settings that come along are in force

    def test_the_container_runs_the_app_behind_a_token(self, installed: Installed, tmp_path: Path) -> None:
        recipe = (ROOT / "Containerfile").read_text(encoding="utf-8")
        (command,) = re.findall(r"^CMD (\[.*\])$", recipe, re.MULTILINE)
        (environment,) = re.findall(r"^ENV (.*)$", recipe, re.MULTILINE)
        variables = dict(each.split("=") for each in environment.split())
        assert variables.keys() == {"URL_VIZ_HOME", "URL_VIZ_ROOTS", "URL_VIZ_TOKEN"}
        folders = {name: str(tmp_path) for name in ("URL_VIZ_HOME", "URL_VIZ_ROOTS")}
        told = opened_app(installed, " ".join(json.loads(command)), variables | folders, refusal="401")
        assert re.search(r"URL-Viz is at http://localhost:\d+/\?token=\S{20}", told)


def opened_app(installed: Installed, command: str, environment: dict[str, str], *, refusal: str) -> str:
    """What the command prints that opens the app, on a free port; a request for data that is not there is refused."""
    port = free_port()
    words = command.replace("8501", str(port)).split()
    with tempfile.TemporaryFile("w+") as log:
        app = subprocess.Popen(
            installed.command(*words),
            cwd=installed.folder,
            env=installed.variables | environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            await_health(f"http://127.0.0.1:{port}/_stcore/health", app, log)
            with pytest.raises(urllib.error.HTTPError, match=refusal):  # by our own route: others give the page
                urllib.request.urlopen(f"http://127.0.0.1:{port}/url-viz/points/nothing", timeout=120)
        finally:
            app.terminate()
            app.wait(timeout=120)
        log.seek(0)
        told = log.read()
    assert re.search(rf"http://(localhost|127\.0\.0\.1):{port}", told)
    return told


def test_the_container_is_given_all_that_the_package_is_built_of() -> None:
    recipe = (ROOT / "Containerfile").read_text(encoding="utf-8")
    copied = {name for line in re.findall(r"^COPY (.*) \S+$", recipe, re.MULTILINE) for name in line.split()}
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[0] == "!"}
    wheel = configuration("tool")["hatch"]["build"]["targets"]["wheel"]
    needed = {*wheel["packages"], *(Path(name).parts[0] for name in wheel["force-include"]), "pyproject.toml"}
    assert needed | {"hatch_build.py", "README.md", "LICENSE"} <= copied <= sent
    assert all((ROOT / name).exists() for name in copied)


def test_what_is_cited_is_the_version_that_is_packaged() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = configuration("project")
    assert cited["authors"] == project["authors"]
    assert (cited["title"], cited["version"], cited["license"]) == ("URL-Viz", url_viz.__version__, project["license"])
