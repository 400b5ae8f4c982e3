"""Examples in docstrings run as they stand.

Those of functions of numbers. Examples that train, fetch, or read a file of the
user are shown by the tests of their modules.
"""

import importlib
import inspect
import re

import numpy as np
import pytest

import keras_gans

MODULES = (
    "datasets.toy",
    "divergences",
    "divergences.gaussians",
    "divergences.histograms",
    "divergences.samples",
    "images",
    "latents",
    "layers",
    "losses",
    "metrics.caption_retrieval",
    "metrics.classes",
    "metrics.colour_obedience",
    "metrics.density_coverage",
    "metrics.diversity",
    "metrics.frechet",
    "metrics.inception_score",
    "metrics.kernel",
    "metrics.memorisation",
    "metrics.modes",
    "metrics.parzen",
    "metrics.precision_recall",
    "optimizers",
)
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)


def examples():
    for name in MODULES:
        module = importlib.import_module(f"keras_gans.{name}")
        for title, thing in vars(module).items():
            if getattr(thing, "__module__", None) == module.__name__:
                for code in BLOCK.findall(inspect.getdoc(thing) or ""):
                    yield pytest.param(module, code, id=f"{name}.{title}")


@pytest.mark.parametrize("module, code", [*examples()])
def test_an_example_runs(module, code):
    exec(code, vars(module) | {"np": np, "keras_gans": keras_gans})
