"""Environment variables with which child Python processes import this package and no other of the same name."""

import os
import site
from pathlib import Path


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
