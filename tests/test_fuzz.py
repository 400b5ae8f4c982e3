"""Some of the damaged and hostile files of `benchmarks/fuzz.py`."""

import dataclasses
import sys

import pytest

from benchmarks import damage, fuzz

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


@pytest.mark.parametrize(
    "kind, maker, words",
    [
        (".weights.h5, hash fits", damage.chunk_bomb, "an array in chunks"),
        (".weights.h5, hash fits", damage.doubled_groups, "a second name"),
        ("entry.zip, hash fits", damage.later_version, "zip file version 9.9"),
        (".pth", damage.huge_integers, "of 64 axes"),
        (".pth, before 1.6", damage.huge_integers, "of 64 axes"),
        ("captions.tsv", damage.dangling_link, "1 of 3 without, the first"),
    ],
)
def test_what_a_villain_makes_is_refused(
    kind, maker, words, tmp_path, monkeypatch
):
    whole, home = tmp_path / "whole", tmp_path / "home"
    whole.mkdir()
    home.mkdir()
    monkeypatch.setenv("KERAS_GANS_CACHE", str(home / "cache"))
    monkeypatch.chdir(home)
    kind = dataclasses.replace(fuzz.KINDS[kind], damages=(maker,))
    if "pth" in kind.file:
        pytest.importorskip("torch")
    kind.make(whole)
    found = fuzz.outcome_of(kind, home, whole, "0")
    assert found["outcome"] == "refused", found
    assert words in found["said"]
