"""Some of the damaged and hostile files of `benchmarks/fuzz.py`."""

import sys

import pytest

from benchmarks import fuzz

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="looks into /proc"
)


def test_damaged_files_are_refused_or_load():
    """Two of each kind, of which the whole run has ninety; and a crash."""
    cases = fuzz.all_cases(2 * len(fuzz.KINDS))
    rows = fuzz.run([*cases, ("no such kind", 0)], verbose=False)
    *rows, crash = rows
    assert not [row for row in rows if row["outcome"] in fuzz.FAILURES]
    read = [row for row in rows if row["outcome"] in fuzz.FINE]
    assert len(read) >= len(rows) - 4  # those of PyTorch, where it is missing
    assert crash["outcome"] == "crash" and "KeyError" in crash["said"]
