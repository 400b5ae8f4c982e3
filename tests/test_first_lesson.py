"""The notebook of the first lesson runs, from its first cell to its last."""

import contextlib
import io
import json
from pathlib import Path

import matplotlib
import pytest

NOTEBOOK = Path(__file__).parents[1] / "docs" / "first_lesson.ipynb"


@pytest.fixture
def cells():
    return json.loads(NOTEBOOK.read_text())["cells"]


def test_no_outputs_are_kept(cells):
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert code
    assert all(not c["outputs"] and c["execution_count"] is None for c in code)


@pytest.mark.slow
def test_the_notebook_runs(cells):
    matplotlib.use("agg")  # shows nothing, and says nothing of it
    import matplotlib.pyplot as plt

    scope = {}
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        for cell in cells:
            if cell["cell_type"] == "code":
                source = "".join(cell["source"])
                assert source.count("QUICK = False") <= 1
                source = source.replace("QUICK = False", "QUICK = True")
                source = source.replace("plt.show()", "plt.close()")
                exec(compile(source, str(NOTEBOOK), "exec"), scope)
    plt.close("all")
    assert "of 8 modes" in shown.getvalue()
    assert scope["QUICK"] is True
    assert scope["dcgan"].card.name == "dcgan_mnist"
