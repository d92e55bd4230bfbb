"""Keeps on disk what numba compiles for UMAP, so that only the first process of a machine waits for it."""

import os
from types import ModuleType

# Before numba is imported: else `.numba_config.yaml` of the working folder, which may be a stranger's, says where
# compiled code lies, and numba unpickles what it finds there. An empty variable wins, and means the usual places.
for _variable in ("NUMBA_CACHE_DIR", "NUMBA_CACHE_LOCATOR_CLASSES"):
    os.environ.setdefault(_variable, "")


def keep_compiled(*modules: ModuleType) -> None:
    """Let numba keep the machine code of each module's functions, as it does where a library asks for it.

    umap-learn asks for it in few of its functions, so each process compiled the rest for seconds, at any size of map.
    numba puts the code next to the module, else into the user's cache folder (or `NUMBA_CACHE_DIR`), and makes it again
    for another processor, another numba or another version of the module.
    """
    from numba.core.dispatcher import Dispatcher

    for module in modules:
        for function in list(vars(module).values()):  # another thread may be importing into it
            if isinstance(function, Dispatcher):
                _keep(function)


def _keep(function: object) -> None:
    try:
        function.enable_caching()  # type: ignore[attr-defined]
    except RuntimeError:  # numba finds no folder that it may write into: then it compiles in each process, as before
        return
