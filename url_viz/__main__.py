"""The command line: `python -m url_viz …`."""

import sys

from url_viz.cli import main

if __name__ == "__main__":
    sys.exit(main())
