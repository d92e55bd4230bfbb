"""Environment variables of child Python processes: they import this package, and read within the same folders."""

import json
import os
import site
from collections.abc import Sequence
from pathlib import Path

from url_viz.roots import is_in_bucket

WITHIN_VARIABLE = "URL_VIZ_WITHIN"
_NEEDED = (
    "HOME",
    "LANG",
    "LANGUAGE",
    "PATH",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "DYLD_LIBRARY_PATH",
    "TMPDIR",
    "TZ",
    "URL_VIZ_PATIENTS",
)
_NEEDED_BEGIN = ("LC_", "PYTHON", "OMP_", "MKL_")


def child_variables() -> dict[str, str]:
    """Variables to add to the environment of a process that runs `python -m` with one of our modules.

    `$PYTHONSAFEPATH` keeps a `training.py` or `numpy.py` of the current folder, which is the user's, from being taken
    for ours. `$PYTHONPATH` leads to a checkout. An installed package needs none, and with one its site-packages would
    come before the standard library.
    """
    package_at = Path(__file__).resolve().parents[2]
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


def within_variable(within: Sequence[Path] | None) -> dict[str, str]:
    """The variable by which a command of training reads no picture outside these folders; none without such a bound."""
    if within is None:
        return {}
    return {WITHIN_VARIABLE: json.dumps([str(folder) for folder in within if not is_in_bucket(folder)])}


def within_of_environment() -> tuple[Path, ...] | None:
    """What `within_variable` says in this process; None without."""
    named = os.environ.get(WITHIN_VARIABLE)
    return None if named is None else tuple(map(Path, json.loads(named)))
