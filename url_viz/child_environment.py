"""Environment variables with which child Python processes import this package and no other of the same name."""

import os
import site
from pathlib import Path

_NEEDED = ("HOME", "LANG", "LANGUAGE", "PATH", "LD_LIBRARY_PATH", "LD_PRELOAD", "DYLD_LIBRARY_PATH", "TMPDIR", "TZ")
_NEEDED_BEGIN = ("LC_", "PYTHON", "OMP_", "MKL_")


def child_variables() -> dict[str, str]:
    """Variables to add to the environment of a process that runs `python -m` with one of our modules.

    `$PYTHONSAFEPATH` keeps a `training.py` or `numpy.py` of the current folder, which is the user's, from being taken
    for ours. `$PYTHONPATH` leads to a checkout. An installed package needs none, and with one its site-packages would
    come before the standard library.
    """
    package_at = Path(__file__).resolve().parents[1]
    variables = {"PYTHONSAFEPATH": "1"}
    if package_at in {Path(path).resolve() for path in (*site.getsitepackages(), site.getusersitepackages())}:
        return variables
    others = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path not in ("", str(package_at))]
    return {**variables, "PYTHONPATH": os.pathsep.join([str(package_at), *others])}


def needed_variables() -> dict[str, str]:
    """The whole environment of a process that reads files of others: what Python and its libraries start with.

    No keys of object storage and no tokens are in it: a reader that is taken over finds none.
    """
    needed = {name: os.environ[name] for name in os.environ if name in _NEEDED or name.startswith(_NEEDED_BEGIN)}
    return needed | child_variables()
