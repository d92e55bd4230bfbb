"""LanceDB's web client is not imported, and is there for whoever asks for it."""

import subprocess
import sys

ASKED = """
import sys
from url_viz.store.lance import lancedb
CLIENT = "lance_namespace_urllib3_client"
assert callable(lancedb.connect)
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
BEFORE = """
import sys
import lance_namespace_urllib3_client as client
from url_viz.store.lance import lancedb
assert sys.modules["lance_namespace_urllib3_client"] is client
"""


def test_the_client_is_imported_once_it_is_asked_for() -> None:
    for script in (ASKED, BEFORE):
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
