"""What PyPI shows of README.md, made while the package is built: relative pictures and links lead nowhere there."""

import re
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

PICTURE = re.compile(r"^!\[[^\]]*\]\((?!https?:)[^)]*\)\n+", re.MULTILINE)
LINK = re.compile(r"\[([^\]]*)\]\((?!https?:|#)[^)]*\)")


class Readme(MetadataHookInterface):
    """Gives the package its readme: without relative pictures, and with the words alone of relative links."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add the readme to the metadata."""
        with open(f"{self.root}/README.md", encoding="utf-8") as readme:
            text = LINK.sub(r"\1", PICTURE.sub("", readme.read()))
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
