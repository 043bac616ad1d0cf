"""The most frequent texts, in bounded memory."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from app.featurestore.statistics.maths.kinds import Bits, Positions

CAPACITY: Final = 4_096
_SHOWN: Final = 100  # characters


@dataclass(frozen=True)
class Frequency:
    """`text` is cut after 100 characters; two that differ later are still told apart."""

    text: str
    count: int


class TopTexts:
    """Counts up to 2 x `CAPACITY` different texts exactly.

    Beyond, all counts are lowered together so that `CAPACITY` stay: none is then too high, and none too low by more than
    `error`, which is at most a 4096th of all: Misra and Gries, "Finding repeated elements", 1982; merged as in Agarwal et
    al., "Mergeable summaries", PODS 2012.
    """

    def __init__(self) -> None:
        self.error = 0
        self._hashes: Bits = np.empty(0, np.uint64)
        self._counts: Positions = np.empty(0, np.int64)
        self._texts: pa.Array = pa.array([], pa.large_string())

    def add(self, texts: pa.Array, hashes: Bits, counts: Positions) -> None:
        """Different ones, and how often each came."""
        if len(hashes) == 0:
            return
        together = np.concatenate([self._hashes, hashes])
        order = np.argsort(together, kind="stable")
        ordered = together[order]
        first = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
        sums = np.add.reduceat(np.concatenate([self._counts, counts])[order], first)
        kept = np.arange(len(first))
        if len(first) > 2 * CAPACITY:
            lowered = int(np.partition(sums, len(sums) - CAPACITY - 1)[len(sums) - CAPACITY - 1])
            self.error += lowered
            sums -= lowered
            kept = np.flatnonzero(sums > 0)
        self._hashes, self._counts = ordered[first][kept], sums[kept]
        self._texts = self._taken(texts, order[first][kept])

    def top(self, count: int) -> list[Frequency]:
        """Falling, equal ones by text."""
        if len(self._counts) == 0:
            return []
        # All that are as frequent as the last one: the text decides, not the hash.
        least = np.sort(self._counts)[-count:][0]
        places = np.flatnonzero(self._counts >= least)
        texts = self._texts.take(pa.array(places)).to_pylist()
        found = [Frequency(text, int(self._counts[place])) for text, place in zip(texts, places, strict=True)]
        return sorted(found, key=lambda each: (-each.count, each.text))[:count]

    def _taken(self, texts: pa.Array, places: Positions) -> pa.Array:
        own = len(self._texts)
        old, new = places[places < own], places[places >= own] - own
        shown = pc.utf8_slice_codeunits(texts.take(pa.array(new)), 0, _SHOWN)
        # Back into the order of `places`, which mixes the two.
        back = np.empty(len(places), np.int64)
        back[places < own] = np.arange(len(old))
        back[places >= own] = np.arange(len(old), len(places))
        return pa.concat_arrays([self._texts.take(pa.array(old)), shown]).take(pa.array(back))
