"""The masks of the filters that pages show now: a few kilobytes each, held for the map to fetch, off the session."""

import hashlib
import threading
from collections import OrderedDict

MOST_HELD = 200


class HeldMasks:
    """The latest masks by what they hold; the least lately used are let go of."""

    def __init__(self, most: int = MOST_HELD) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._held: OrderedDict[str, bytes] = OrderedDict()

    def keep(self, mask: bytes) -> str:
        """Hold a mask; returns its key, the same for the same mask."""
        key = hashlib.blake2b(mask, digest_size=12).hexdigest()
        with self._lock:
            self._held[key] = mask
            self._held.move_to_end(key)
            while len(self._held) > self._most:
                self._held.popitem(last=False)
        return key

    def get(self, key: str) -> bytes | None:
        """The mask of a key; None where it is not held any more."""
        with self._lock:
            return self._held.get(key)


held_masks = HeldMasks()
