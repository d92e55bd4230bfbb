"""The command line: `python -m url_viz …`; a run of `embed` is started again where a picture takes it down."""

import os
import sys

from url_viz.crash_guard import supervised


def _main() -> int:
    from url_viz.cli.main import main  # large: the process above a run of `embed` does without it

    return main()


if __name__ == "__main__":
    is_supervised = sys.argv[1:2] == ["embed"] and hasattr(os, "fork")
    sys.exit(supervised(_main) if is_supervised else _main())
