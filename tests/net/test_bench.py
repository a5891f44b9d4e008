# SPDX-License-Identifier: GPL-3.0-or-later
"""scripts/bench.sh keeps to the format that others read, and its search for
the highest rate finds it.  Nothing here says how fast anything is."""

import json
import os
import subprocess
import sys

import pytest

from tofnet.lab import TOP
from tofnet.wait import PATIENCE

sys.path.insert(0, os.path.join(TOP, "tests/bench"))

from tofbench import migrate, report, search                     # noqa: E402

KEYS = ["bench", "metric", "value", "unit", "baseline", "ratio", "datapath"]


def bench(*args, timeout=120):
    return subprocess.run(
        [os.path.join(TOP, "scripts/bench.sh"), *args], text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, timeout=timeout * PATIENCE, check=False,
        env={**os.environ, "TOF_NO_BUILD": "1"})


def rows_of(p):
    assert p.returncode == 0, p.stderr
    return [json.loads(line) for line in p.stdout.splitlines()]


def check_row(row, name):
    assert list(row) == KEYS
    assert row["bench"] == name
    assert isinstance(row["metric"], str) and row["metric"]
    assert isinstance(row["unit"], str)
    for key in ("value", "baseline", "ratio"):
        assert row[key] is None or isinstance(row[key], float)
    assert row["value"] is not None
    assert row["datapath"] is None or isinstance(row["datapath"], str)


def test_lines_on_standard_output_are_rows_of_the_contract():
    rows = rows_of(bench("--quick", "xdp-forward"))
    for row in rows:
        check_row(row, "xdp-forward")
    rate, = (r for r in rows if r["metric"] == "rate[sessions=1]"
             and r["datapath"] == "xdp")
    assert rate["value"] > 0 and rate["baseline"] > 0
    assert rate["ratio"] == pytest.approx(rate["value"] / rate["baseline"],
                                          rel=0.5)


def test_lab_bench_delivers_what_it_sends(tmp_path):
    kept = tmp_path / "results.json"
    p = bench("--quick", "--datapath", "ovs", "--output", str(kept),
              "learn-latency")
    rows = rows_of(p)
    assert kept.read_text() == p.stdout
    values = {r["metric"]: r["value"] for r in rows}
    assert values["delivered"] == values["sent"] > 0
    assert 0 < values["latency.p50"] <= values["latency.p99"]
    table = p.stderr[p.stderr.index("learn-latency  "):]
    assert "latency.p50" in table


def test_unknown_name_is_an_error_that_lists_names():
    p = bench("xdp-forward", "no-such-bench")
    assert p.returncode == 2
    assert not p.stdout
    assert "no-such-bench" in p.stderr
    assert "learn-rate" in p.stderr and "migrate" in p.stderr


def test_what_is_not_available_is_named_and_is_no_row(capsys):
    found = report.Report()
    found.not_available("migrate", "no such data path", "xdp")
    out, err = capsys.readouterr()
    assert out == "" and found.rows == []
    assert "migrate (xdp): not available: no such data path" in err


@pytest.mark.hurried("what the bench sends in a second is too much for it")
def test_migrate_loses_nothing_and_learns_nothing():
    rows = rows_of(bench("--quick", "--datapath", "xdp", "migrate"))
    values = {r["metric"]: r["value"] for r in rows}
    for active in 20, 2000:
        where = f"[active={active},try=1]"
        assert values[f"diverted{where}"] == active
        for metric in "lost", "lost-back", "learned", "held":
            assert values[metric + where] == 0, metric


def test_bench_leaves_nothing_behind():
    def state():
        names = os.listdir("/run/netns") if os.path.isdir("/run/netns") else []
        links = subprocess.run(["ip", "-o", "link"], text=True, check=True,
                               stdout=subprocess.PIPE).stdout
        return sorted(names), links.count("\n")
    before = state()
    bench("--quick", "xdp-forward")
    assert state() == before


@pytest.mark.parametrize("capacity", [3000, 47000, 800000, 5e6])
def test_search_finds_the_highest_rate_without_loss(capacity):
    def trial(rate):
        return rate, max(0, rate - capacity)
    found = search.highest(trial, 100000, 20)
    assert 0.95 * capacity <= found <= capacity


def test_search_ends_where_the_sender_does():
    def trial(rate):
        return min(rate, 150000), 0
    assert search.highest(trial, 100000, 20) == 150000


def test_search_gives_nothing_if_every_rate_loses():
    assert search.highest(lambda rate: (rate, 1), 1000, 5) == 0


MS = 1000000


def switch_over(latency):
    """Packets every ms of which the 101st is the first one to go the other
    way, and how many ms they took; 0: lost."""
    return migrate.Arrivals([i * MS for i in range(len(latency))],
                            [int(ms * MS) for ms in latency], 100)


def test_outage_is_what_a_switch_over_adds_to_the_pause():
    assert switch_over([5] * 200).outage() == 0
    assert switch_over([5] * 100 + [0] * 20 + [5] * 80).outage() == 20
    assert switch_over([5] * 100 + [25] * 100).outage() == 20
    # What had come late before it is none of its.
    assert switch_over([5] * 50 + [0] * 20 + [5] * 130).outage() == 0


def test_outage_lasts_to_the_end_if_nothing_comes_any_more():
    assert switch_over([5] * 100 + [0] * 100).outage() == 94


def test_jitter_is_what_packets_take_longer_than_before():
    jitter = switch_over([5] * 100 + [5] * 98 + [9, 0]).jitter()
    assert len(jitter) == 99 and jitter[0] == 0 and jitter[-1] == 4
    assert switch_over([5] * 199 + [0]).lost() == 1


def test_percentile_is_a_value_that_was_measured():
    values = list(range(1, 101))
    assert report.percentile(values, 50) == 50
    assert report.percentile(values, 99) == 99
    assert report.percentile(values, 100) == 100
    assert report.percentile([7], 99.9) == 7
