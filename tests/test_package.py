"""What an import brings along."""

import keras
import pytest

from tests.test_conformance import run_python

HEAVY = "matplotlib scipy PIL tensorflow_datasets"

IMPORT = f"""
import sys
sys.modules["sklearn"] = None  # Keras would take it, and SciPy with it
import keras
before = set(sys.modules)
import keras_gans
new = {{name.split(".")[0] for name in set(sys.modules) - before}}
print(sorted(new & set("{HEAVY}".split())))
"""

WITHOUT_TENSORFLOW = """
import sys
sys.modules["tensorflow"] = None  # as on a machine that lacks it
import numpy as np
import keras_gans
gan = keras_gans.GAN((8, 8, 1), latent_dim=4, variant="small")
gan.fit(np.zeros((8, 8, 8, 1), "float32") - 0.5, verbose=0)
gan.save(sys.argv[1])
import keras
twin = keras.saving.load_model(sys.argv[1])
assert np.abs(twin.generate(2, seed=0) - gan.generate(2, seed=0)).max() == 0
print("trained")
"""


def test_import_brings_nothing_heavy():
    assert run_python(IMPORT, keras.backend.backend()).strip() == "[]"


def test_other_backends_need_no_tensorflow(tmp_path):
    backend = keras.backend.backend()
    if backend == "tensorflow":
        pytest.skip("this is for JAX and PyTorch")
    path = str(tmp_path / "gan.keras")
    assert "trained" in run_python(WITHOUT_TENSORFLOW, backend, path)
