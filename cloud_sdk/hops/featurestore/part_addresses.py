"""Where parts are to be had now: the addresses of a store expire."""

from __future__ import annotations

import threading
from typing import Tuple

from hops.featurestore.errors import AnswerCutError
from hops.featurestore.manifests import Manifest
from hops.featurestore.transport import API, Request, Transport


class Addresses:
    """Of one manifest's parts; `issue` counts how often they were renewed. Safe to use from several threads."""

    def __init__(self, transport: Transport, manifest: Manifest) -> None:
        self.manifest = manifest
        self.has_delivered = False
        self._transport = transport
        self._lock = threading.Lock()
        self._issue = 0

    def of(self, number: int) -> Tuple[str, int]:
        with self._lock:
            return self.manifest.parts[number].url, self._issue

    def renew(self, refused: int) -> None:
        """Get fresh ones, unless another thread has since `refused`.

        Raises what the gateway says by now: the group may be gone, or the key revoked.
        """
        with self._lock:
            if refused != self._issue:
                return
            fresh = Manifest.from_json(self._transport.json(Request("GET", self.manifest.url[len(API) :])))
            if not fresh.has_parts_of(self.manifest):
                raise AnswerCutError("The gateway lists other parts than before; no rows are returned.")
            self.manifest, self._issue = fresh, self._issue + 1
