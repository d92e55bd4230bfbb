"""LanceDB is imported once a database is opened, its web client for whoever asks for it."""

import sys
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from pathlib import Path

import pytest

from tests.processes import run_python
from url_viz.store.lance import connect

ASKED = """
import sys
from url_viz.store.lance import connect
CLIENT = "lance_namespace_urllib3_client"
assert "lancedb" not in sys.modules, "nothing was opened yet"
assert connect(sys.argv[1]).table_names() == []
assert f"{CLIENT}.api" not in sys.modules, "what was put off was imported"
import lance_namespace_urllib3_client as client
assert not hasattr(client, "__nothing__")
assert client.ApiClient.__module__ == f"{CLIENT}.api_client"
assert f"{CLIENT}.api" in sys.modules
assert client.__file__.endswith("__init__.py")
from lance_namespace_urllib3_client import ApiClient, models
assert client.models is models
try:
    client.nothing
except AttributeError as error:
    assert "nothing" in str(error)
else:
    raise AssertionError("a name that is not there")
"""


@pytest.mark.slow
def test_the_client_is_imported_once_it_is_asked_for(tmp_path: Path) -> None:
    done = run_python("-c", ASKED, tmp_path)
    assert done.returncode == 0, done.stderr


def test_one_that_is_imported_already_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(tmp_path)  # which imports LanceDB, and what that imports of its client
    client = module_from_spec(ModuleSpec("lance_namespace_urllib3_client", None))
    monkeypatch.setitem(sys.modules, client.__name__, client)
    connect(tmp_path)
    assert sys.modules[client.__name__] is client
