"""Packages that are installed only by those who use them: the extras of this package."""

from __future__ import annotations

from importlib import import_module

__all__ = ["need"]


def need(package: str) -> None:
    """Make sure that a package is there, before anything is asked of a node for it.

    Raises:
        ModuleNotFoundError: with the command that installs it.
    """
    try:
        import_module(package)
    except ModuleNotFoundError as e:
        if e.name != package:
            raise  # it is there, and lacks something of its own
        raise ModuleNotFoundError(
            f"this takes {package}, which is not installed: pip install {package} "
            f"(it is an extra of genesis-science: pip install './clients/python[{package}]' from a clone)",
            name=package,
        ) from e
