"""Attacks on the app and on what it loads: each is tried, and comes to nothing."""

import itertools
import json
import os
import pickle
import struct
import tarfile
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocket, WebSocketDisconnect
from streamlit.testing.v1 import AppTest

from tests.conftest import dice_head
from tests.imaging.pictures import write_folder
from tests.ui.pages import app
from url_viz.base.errors import CheckpointError, FolderError, ModelError, NotAllowedError, WorkspaceError
from url_viz.base.workspace import Workspace
from url_viz.imaging.scan import LEADS_OUT, scan
from url_viz.models.backbone import load_backbone
from url_viz.models.head import HeadProvenance, load_head, save_head
from url_viz.models.model import Model, resolve
from url_viz.models.model_names import DEFAULT
from url_viz.reading import embed_folder
from url_viz.store.sets import skipped_files
from url_viz.ui.auth import allowed, allowed_model
from url_viz.ui.http import middleware, routes
from url_viz.ui.session import CHOSEN_MODEL

ROOT = Path(__file__).parents[2]
TRAVERSALS = (
    "../../etc",
    "..%2f..%2fetc",
    "/etc/passwd",
    "0" * 15 + "/",
    "%00",
    "0" * 16,
    "A" * 16,
    "…" * 16,
    "x" * 5000,
)

ROUTES = ("thumbnail/{}/1.jpg", "picture/{}/1.jpg", "card/{}/1", "points/{}")


@pytest.fixture
def roots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one folder that the app may read; beside it lies a secret."""
    allowed_root = tmp_path / "allowed"
    allowed_root.mkdir()
    write_folder(tmp_path / "secret", 2, start=70)
    monkeypatch.setenv("URL_VIZ_ROOTS", str(allowed_root))
    return allowed_root


@pytest.fixture
def client(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    monkeypatch.setenv("URL_VIZ_HOME", str(workspace))
    return TestClient(Starlette(routes=routes(), middleware=middleware()), base_url="http://127.0.0.1")


class TestPaths:
    @pytest.mark.parametrize(
        "way", ["../secret", "~root", "~nobody-of-this-name", "\0", "a\0b", "/etc", "door", "loop", "x" * 5000]
    )
    def test_no_input_leads_out_of_the_roots(self, roots: Path, way: str) -> None:
        (roots / "door").symlink_to(roots.parent / "secret")
        (roots / "loop").symlink_to(roots / "loop")
        with pytest.raises(FolderError, match="Choose"):  # outside, or no path at all
            allowed(roots / way if not way.startswith("~") else Path(way))

    def test_a_file_outside_may_be_allowed_by_itself_and_never_what_holds_everything(
        self, roots: Path, client: TestClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def script() -> None:
            from url_viz.ui.widgets.open_folder import ask_for_folder

            ask_for_folder()

        monkeypatch.setenv("URL_VIZ_TOKEN", "on")
        archive, at = roots.parent / "all.tar", AppTest.from_function(script).run()
        with tarfile.open(archive, "w") as tar:
            tar.add(roots.parent / "secret", "pictures")
        for typed, why in ((archive.with_name("typo.tar"), "does not exist"), ("/", "the folders of all users")):
            at.text_input[0].set_value(str(typed)).run()
            assert why in at.error[0].value
            assert not [button for button in at.button if button.label.startswith("Allow")]
        at.text_input[0].set_value(str(archive)).run()
        next(button for button in at.button if button.label == "Allow this file").click().run()
        assert "tar archive" in at.markdown[0].value
        assert allowed(archive) == archive
        at.text_input[0].set_value(str(archive.parent / "secret")).run()
        assert "Allow this folder" in [button.label for button in at.button]

    def test_no_id_of_an_image_set_is_a_path(self, client: TestClient) -> None:
        for set_id, route in itertools.product(TRAVERSALS, ROUTES):
            assert client.get(f"/url-viz/{route.format(set_id)}").status_code in (400, 404), (set_id, route)

    @pytest.mark.parametrize("set_id", ["../../etc", "/etc/passwd", "x" * 5000])
    def test_nor_is_the_one_in_an_address(self, roots: Path, client: TestClient, set_id: str) -> None:
        at = app()
        at.query_params["set"] = set_id
        at.run()
        assert not at.exception

    @pytest.mark.parametrize("form", ["{}", "local-dir:{}", "{}@timm", "resnet18:{}"])
    def test_no_model_outside_the_roots(self, roots: Path, client: TestClient, form: str) -> None:
        name = "secret" if form.startswith("local") else "secret.pth.tar" if "@" in form else "secret.safetensors"
        model = form.format(roots.parent / name)
        with pytest.raises(NotAllowedError):
            allowed_model(model)
        answer = client.get("/url-viz/points/" + "0" * 16, params={"model": model})
        assert answer.status_code == 404
        assert "outside the folders" in answer.text

    def test_an_endless_name_of_a_model_is_a_sentence(self, roots: Path, client: TestClient) -> None:
        for name in ("a" * 300, f"hf-hub:{'a' * 300}", "é" * 200, f"x/{'a' * 300}.pth", "/a" * 3000):
            with pytest.raises(ModelError, match="too long for a model's name"):
                resolve(name)
            assert client.get(f"/url-viz/points/{'0' * 16}", params={"model": name}).status_code == 404
        at = app()
        at.query_params["model"], at.query_params["set"] = name, "0" * 16
        at.run()
        assert not at.exception
        assert ["too long" in error.value for error in at.error] == [True]
        assert at.session_state[CHOSEN_MODEL] == DEFAULT

    @pytest.mark.parametrize("form", ["{}.pth", "resnet18:{}.pth", "{}.safetensors", "{}.pth.tar@timm"])
    def test_a_model_of_a_user_who_is_not_here_is_a_sentence(self, client: TestClient, form: str) -> None:
        name = form.format("~nobody-of-this-name/x")
        answer = client.get("/url-viz/points/" + "0" * 16, params={"model": name})
        assert answer.status_code == 404
        with pytest.raises(CheckpointError, match="no checkpoint"):
            resolve(name)

    def test_heads_of_the_workspace_are_allowed(self, roots: Path, workspace: Path, client: TestClient) -> None:
        inside = workspace / "heads" / "mine" / "head.safetensors"
        assert allowed_model(str(inside)) == str(inside)
        assert allowed_model("tf_efficientnet_lite0") == "tf_efficientnet_lite0"


class TestLinks:
    def test_the_app_reads_no_picture_outside_its_roots_and_says_so(
        self, roots: Path, workspace: Path, bare_model: Model
    ) -> None:
        folder = write_folder(roots / "pictures", 3)
        (folder / "link.jpg").symlink_to(roots.parent / "secret" / "0070.jpg")
        (folder / "door").symlink_to(roots.parent / "secret")
        (folder / "inside.jpg").symlink_to(folder / "0000.jpg")
        image_set = embed_folder(folder, model=bare_model, workspace=workspace, within=(roots,))
        assert image_set.table()["path"].tolist() == ["0000.jpg", "0001.jpg", "0002.jpg", "inside.jpg"]
        assert skipped_files(folder, workspace=workspace).values.tolist() == [[LEADS_OUT, 2]]
        assert len(scan(folder).files) == 7, "the command line follows links, unless told"

    def test_a_folder_that_became_a_link_out_is_not_read(self, roots: Path, workspace: Path, bare_model: Model) -> None:
        write_folder(roots.parent / "secret", 3, start=70)
        (roots / "pictures").symlink_to(roots.parent / "secret")
        with pytest.raises(FolderError, match="lies outside the folders that may be read"):
            embed_folder(roots / "pictures", model=bare_model, workspace=workspace, within=(roots,))
        with pytest.raises(FolderError, match=r"is a link to .*secret"):
            embed_folder(roots / "pictures", model=bare_model, workspace=workspace, within=(roots / "pictures",))
        assert not list((workspace / "sets").glob("*"))

    def test_the_app_tells_its_jobs(self, roots: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from url_viz.jobs.kinds import EMBED
        from url_viz.ui.widgets.embed_job import reading_call

        monkeypatch.setenv("URL_VIZ_HOME", str(workspace))
        within = [str(roots.resolve()), str((workspace / "demo").resolve())]
        call = json.loads(EMBED.words(reading_call(roots / "a", model=DEFAULT))[-1])
        assert (call["folder"], call["within"]) == (str(roots / "a"), within)


class TestRequests:
    def test_our_routes_only_read(self, client: TestClient) -> None:
        for method, route in itertools.product(("POST", "PUT", "DELETE", "PATCH", "OPTIONS"), ROUTES):
            answer = client.request(method, f"/url-viz/{route.format('0' * 16)}")
            assert answer.status_code == 405, (method, route)
            assert "access-control-allow-origin" not in answer.headers

    def test_another_name_of_this_machine_opens_no_websocket(self) -> None:
        """A page elsewhere whose name is made to point here (DNS rebinding) names itself as the host."""

        async def stream(socket: WebSocket) -> None:
            await socket.accept()
            await socket.close()

        app = Starlette(routes=[WebSocketRoute("/_stcore/stream", stream)], middleware=middleware())
        with TestClient(app).websocket_connect("ws://127.0.0.1/_stcore/stream"):
            pass
        with (
            pytest.raises((WebSocketDisconnect, WebSocketDenialResponse)),
            TestClient(app).websocket_connect("ws://evil.example/_stcore/stream"),
        ):
            pass

    def test_the_app_is_for_this_machine_and_bounds_what_it_takes(self) -> None:
        server = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())["server"]
        assert server["address"] == "127.0.0.1"
        assert server["enableXsrfProtection"] is True
        assert server.get("enableCORS", True) is True
        assert server["maxUploadSize"] <= 500
        assert not server.get("enableStaticServing", False)


class Payload:
    """Runs a command where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (f"touch {self.mark}",)


def parts_of_a_head(folder: Path) -> tuple[bytes, bytes]:
    """The header of a good file, without its length, and what follows it."""
    save_head(dice_head(), folder / "good.safetensors")
    raw = (folder / "good.safetensors").read_bytes()
    length = struct.unpack("<Q", raw[:8])[0]
    return raw[8 : 8 + length], raw[8 + length :]


class TestCheckpoints:
    def test_no_pickle_is_run_as_weights_of_ours(self, tmp_path: Path) -> None:
        (tmp_path / "head.safetensors").write_bytes(pickle.dumps(Payload(tmp_path / "owned")))
        with pytest.raises(CheckpointError):
            load_head(tmp_path / "head.safetensors")
        with pytest.raises(CheckpointError):
            load_backbone("tf_efficientnet_lite0", weights=tmp_path / "head.safetensors")
        assert not (tmp_path / "owned").exists()

    @pytest.mark.slow
    def test_nor_as_a_model_in_timms_own_format(self, tmp_path: Path) -> None:
        import torch

        torch.save({"weight": Payload(tmp_path / "owned")}, tmp_path / "pytorch_model.bin")
        about = {"architecture": "resnet10t", "num_classes": 3, "pretrained_cfg": {"input_size": [3, 64, 64]}}
        (tmp_path / "config.json").write_text(json.dumps(about))
        with pytest.raises(ModelError, match="local-dir"):
            load_backbone(f"local-dir:{tmp_path}")
        assert not (tmp_path / "owned").exists()

    @pytest.mark.parametrize(
        "lie",
        [
            lambda header, data: struct.pack("<Q", 2**63) + header + data,
            lambda header, data: struct.pack("<Q", 10**9) + header + data,
            lambda header, data: struct.pack("<Q", 0) + data,
        ],
        ids=["a header of 2^63 bytes", "longer than the file", "no header"],
    )
    def test_headers_that_lie_about_their_length(self, tmp_path: Path, lie: Callable[[bytes, bytes], bytes]) -> None:
        (tmp_path / "bad.safetensors").write_bytes(lie(*parts_of_a_head(tmp_path)))
        with pytest.raises(CheckpointError):
            load_head(tmp_path / "bad.safetensors")

    @pytest.mark.parametrize(
        "change",
        [
            {"layers.1.weight": {"dtype": "F32", "shape": [1, 16], "data_offsets": [0, 64]}},
            {"layers.0.weight": {"dtype": "F32", "shape": [2**40, 2**20], "data_offsets": [0, 2**62]}},
            {"layers.0.bias": {"dtype": "F32", "shape": [16], "data_offsets": [64, 0]}},
            {"layers.0.bias": {"dtype": "BF16", "shape": [32], "data_offsets": [0, 64]}},
            {"layers.0.bias": {"dtype": "Q9", "shape": [16], "data_offsets": [0, 64]}},
            {"__metadata__": {"recipe": "[" * 200_000}},
            {"__metadata__": {"recipe": "1" * 100_000}},
            {"__metadata__": {"scaler": "9" * 400}},
        ],
        ids=["overlap", "huge", "backwards", "bfloat16", "unknown", "nested", "long number", "infinite"],
    )
    def test_headers_that_lie_about_their_tensors(self, tmp_path: Path, change: dict[str, dict[str, object]]) -> None:
        header, data = parts_of_a_head(tmp_path)
        record = json.loads(header)
        for name, value in change.items():
            record[name] = record[name] | value
        header = json.dumps(record).encode()
        (tmp_path / "bad.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + data)
        with pytest.raises(CheckpointError):
            load_head(tmp_path / "bad.safetensors")

    def test_a_head_cannot_name_a_backbone_that_is_a_path_to_code(self, tmp_path: Path) -> None:
        save_head(replace(dice_head(), provenance=HeadProvenance("local-dir:/etc")), tmp_path / "h.safetensors")
        source = resolve(tmp_path / "h.safetensors")
        with pytest.raises(ModelError):
            load_backbone(source.backbone)


class TestRecords:
    def test_a_label_of_a_workspace_that_is_a_bomb_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "workspace.json").write_text("[" * 200_000)
        with pytest.raises(WorkspaceError, match="damaged"):
            Workspace.at(tmp_path)
