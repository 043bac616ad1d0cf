"""Wires the gateway: the only package that names implementations."""

from app.bootstrap.container import build_container

__all__ = ["build_container"]
