"""Wires the gateway: the only package that names implementations."""

from app.bootstrap.container import build_container
from app.bootstrap.own import own_settings

__all__ = ["build_container", "own_settings"]
