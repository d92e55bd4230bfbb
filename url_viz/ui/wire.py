"""What server and browser have to agree on: the constants of the bytes between them, styles, decisions and their keys.

They stand in one file, which Python reads here and the browser's modules import: of JSON, since both read it as it is.
"""

import json
from typing import Any

from url_viz.ui.widgets.assets import FOLDER

WIRE: dict[str, Any] = json.loads((FOLDER / "shared" / "wire.json").read_text(encoding="utf-8"))
