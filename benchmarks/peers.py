"""Import other packages to compare with; one that is not installed is left out with a note."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from typing import Any


def peer(module: str, *, needs_torchvision: bool = False) -> Any | None:
    """Return a module of another package, or none with a note.

    `needs_torchvision`: it imports torchvision, which may be missing, but what is compared here makes no use of it.
    """
    if needs_torchvision and importlib.util.find_spec("torchvision") is None:
        sys.meta_path.append(_HollowTorchvision())
    try:
        return importlib.import_module(module)
    except ImportError as error:
        print(f"{module} cannot be imported ({error}): left out")
        return None


class _Hollow(types.ModuleType):
    """A module in which every name is there and none."""

    def __getattr__(self, name: str) -> None:
        if name.startswith("__"):
            raise AttributeError(name)


class _HollowTorchvision(MetaPathFinder, Loader):
    """Gives a module without content for torchvision and what is inside it."""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        is_wanted = fullname.split(".")[0] == "torchvision"
        return ModuleSpec(fullname, self, is_package=True) if is_wanted else None

    def create_module(self, spec: ModuleSpec) -> types.ModuleType:
        return _Hollow(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        pass
