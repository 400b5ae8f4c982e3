"""The reference packages that the metrics are compared with."""

import contextlib
import importlib
import sys
from collections.abc import Iterator
from types import ModuleType
from unittest import mock

import pytest


def torch_fidelity(module: str) -> ModuleType:
    """`torch_fidelity.<module>`, or a skip where it is not installed."""
    pytest.importorskip("torch")
    with _torchvision():
        return pytest.importorskip(f"torch_fidelity.{module}")


@contextlib.contextmanager
def _torchvision() -> Iterator[None]:
    # torch-fidelity imports it for its data sets, and its functions of ready
    # features never call it: an empty one does where there is none that fits.
    try:
        importlib.import_module("torchvision")
    except (ImportError, RuntimeError):
        names = ("", ".datasets", ".transforms", ".transforms.functional")
        empty = {f"torchvision{name}": mock.MagicMock() for name in names}
        sys.modules.update(empty)
        yield
        for name in empty:
            del sys.modules[name]
    else:
        yield
