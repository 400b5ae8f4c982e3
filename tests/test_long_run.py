"""A long training takes no more of the machine than a short one."""

import sys

import pytest

from benchmarks import long_run


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_memory_files_and_pictures_of_a_long_training(tmp_path):
    """The 10,000 steps of `benchmarks/long_run.py`, made short."""
    found = long_run.long_run(2000, tmp_path)
    assert found["steps"] == 2000
    # Of 2,000 steps the first allocations are still seen.
    assert found["bytes_a_step"] < 8 * long_run.MOST_BYTES_A_STEP
    assert found["files_left_open"] <= 0
    assert not long_run.too_large(found)
