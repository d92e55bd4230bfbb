"""The help of commands, asked in this process: one of their own would import torch again for each."""

import contextlib
import io
import runpy
import sys
import warnings
from functools import cache


@cache
def help_of(module: str, *words: str) -> str:
    """What `python -m MODULE WORDS --help` prints; asserts that it ends well."""
    printed, arguments, status = io.StringIO(), sys.argv, None
    sys.argv = [module, *words, "--help"]
    try:
        with contextlib.redirect_stdout(printed), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # that the module was imported before
            runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        status = end.code
    finally:
        sys.argv = arguments
    assert not status
    return printed.getvalue()
