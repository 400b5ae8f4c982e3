"""The arithmetic and the tables of the programs in `benchmarks/`."""

from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
RESULTS = BENCHMARKS / "results"


@pytest.fixture(autouse=True)
def programs(monkeypatch):
    """They are scripts, and import each other as such."""
    monkeypatch.syspath_prepend(BENCHMARKS)


def test_precision_table_is_of_its_rows():
    import precision

    rows = precision.read_rows(RESULTS / "precision.csv")
    text = (RESULTS / "precision.md").read_text()
    assert text == precision.markdown(rows)


def test_scaling_tables_are_of_their_rows():
    import scaling

    rows = scaling.read_rows(RESULTS / "scaling.csv")
    text = (RESULTS / "scaling.md").read_text()
    parts = ("devices", "memory", "bytes", "plan")
    tables = [line for p in parts for line in scaling.table(rows, p)]
    assert text.split("\n\n", 2)[2] == "\n".join(tables)


def test_throughput_table_is_of_its_rows():
    import throughput

    rows = throughput.typed_rows(RESULTS / "throughput.csv")
    text = (RESULTS / "throughput.md").read_text()
    assert text == throughput.markdown(rows)


def test_one_device_loses_nothing():
    import scaling

    assert scaling.efficiency(1.0, 1e9, 1, 1e9, 1.0) == (1, 1, "nothing")


def test_a_ring_moves_each_gradient_nearly_twice():
    import scaling

    # 4 devices: 2 * 3/4 of 1 GB over 1 GB/s, beside a step of one second.
    after, beside, lever = scaling.efficiency(1.0, 1e9, 4, 1e9, 0.0)
    assert after == pytest.approx(1 / 2.5)
    assert beside == pytest.approx(1 / (1 + 1.5 - 2 / 3))
    assert lever == "gradients"


def test_many_devices_wait_for_messages():
    import scaling

    # 2 * 511 messages of a millisecond; of one byte nothing is to be moved.
    after, beside, lever = scaling.efficiency(1.0, 1.0, 512, 1e9, 1e-3)
    assert after == pytest.approx(1 / 2.022)
    assert beside == pytest.approx(1 / (2.022 - 2 / 3))
    assert lever == "latency"


def test_a_plan_counts_the_sums_and_the_speed_of_devices():
    import argparse

    import scaling

    facts = {"MB a step": 1000, "sums a step": 2, "seconds a step": 10}
    rows = [
        {"part": "bytes", "what": "gan", "measure": k, "value": str(v)}
        for k, v in facts.items()
    ]
    options = argparse.Namespace(bandwidth=1e9, latency=1e-3, faster=[1, 10])
    planned = {
        row[:2]: row[2]
        for row in scaling.plan(options, rows)
        if row[0] == "gan on 8"
    }
    lost = 2 * 7 / 8 + 2 * 7 * 2e-3
    assert planned == {
        ("gan on 8", "after the step"): pytest.approx(10 / (10 + lost)),
        ("gan on 8", "beside it"): 1.0,
        ("gan on 8", "decides"): "nothing",
        ("gan on 8", "after the step, 10 times as fast"): pytest.approx(
            1 / (1 + lost)
        ),
        ("gan on 8", "beside it, 10 times as fast"): pytest.approx(
            1 / (1 + lost - 2 / 3)
        ),
        ("gan on 8", "decides, 10 times as fast"): "gradients",
    }
