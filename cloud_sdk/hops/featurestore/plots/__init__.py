"""Pictures of statistics. matplotlib is imported on use, and its pyplot never."""

from __future__ import annotations
