"""The server has the default model converted once, while the first page is looked at, and sends without delay."""

import asyncio
import shutil
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from filelock import FileLock

from url_viz.base.workspace import Workspace
from url_viz.models.model import load_model, prepared_folder, resolve
from url_viz.models.model_names import DEFAULT
from url_viz.ui.server import prepare_model, sending_at_once


def test_the_model_of_a_new_workspace_is_converted_and_that_of_an_old_one_left(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("url_viz.ui.server.IN_ENVIRONMENT", Workspace(tmp_path / "environment"))
    told = tmp_path / "python"
    told.write_text(f'#!/bin/sh\nprintf %s "$2" > {tmp_path / "code.py"}\n')
    told.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(told))
    waiting = prepare_model(tmp_path / "workspace")
    assert waiting is not None
    waiting.join()
    (tmp_path / "workspace").mkdir()
    (tmp_path / "workspace" / "models").symlink_to(prepared / "models")
    names: dict[str, Any] = {}
    exec((tmp_path / "code.py").read_text().replace("; load_model", "; model = load_model"), names)
    assert names["model"].name == DEFAULT
    assert prepare_model(tmp_path / "workspace") is None
    monkeypatch.setattr("url_viz.ui.server.IN_ENVIRONMENT", Workspace(tmp_path / "workspace"))
    assert prepare_model(tmp_path / "another") is None, "prepared for all workspaces"


def test_who_comes_while_it_is_converted_waits_and_takes_what_was_made(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("url_viz.models.model.load_source", None)  # to convert it again would fail
    monkeypatch.setattr("url_viz.models.model.IN_ENVIRONMENT", Workspace(tmp_path / "environment"))
    workspace = Workspace.at(tmp_path)
    folder = prepared_folder(resolve(DEFAULT), workspace)
    loaded = []
    second = Thread(target=lambda: loaded.append(load_model(DEFAULT, device="cpu", workspace=workspace.root)))
    folder.parent.mkdir()
    with FileLock(folder.with_name(f".{folder.name}.lock")):
        second.start()
        time.sleep(0.2)
        assert second.is_alive()
        shutil.copytree(prepared / "models" / folder.name, folder)
    second.join()
    assert [model.name for model in loaded] == [DEFAULT]


class _Told(asyncio.Protocol):
    """Sends whether its connection sends at once: b"1" or b"0"."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        of_connection = transport.get_extra_info("socket")
        is_at_once = of_connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"1" if is_at_once else b"0")
        transport.close()


async def _asked(sock: socket.socket) -> bytes:
    async with sending_at_once(None):
        server = await asyncio.get_running_loop().create_server(_Told, sock=sock)
        async with server:
            reader, writer = await asyncio.open_connection(*sock.getsockname()[:2])
            told = await reader.read()
            writer.close()
    return told


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_answers_leave_at_once(family: socket.AddressFamily, host: str) -> None:
    try:
        sock = socket.socket(family)  # as Streamlit: no protocol is named
        sock.bind((host, 0))
    except OSError:
        pytest.skip("no IPv6 here")
    with ThreadPoolExecutor(1) as pool:  # after a test with Playwright a loop runs in this thread
        assert pool.submit(asyncio.run, _asked(sock)).result() == b"1"
