# SPDX-License-Identifier: GPL-3.0-or-later
"""Results to doc/PERFORMANCE.md, between its markers, and to doc/plots."""

import json
import os
import platform
import re
import time
from collections import defaultdict
from dataclasses import dataclass

from . import plots

TOP = os.path.normpath(os.path.join(os.path.dirname(__file__), "../../.."))
TEXT = os.path.join(TOP, "doc/PERFORMANCE.md")
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"


@dataclass
class Figure:
    """What a metric should be.  'what': value or ratio; 'least': it should be
    at least 'limit', else at most."""
    bench: str
    metric: str
    datapath: str
    what: str
    least: bool
    limit: float
    unit: str


FIGURES = [
    Figure("xdp-forward", "added[sessions=1]", "xdp", "value", False, 40,
           "ns"),
    Figure("xdp-forward", "rate-with-setup[sessions=1]", "xdp", "ratio", True,
           0.92, ""),
    Figure("xdp-forward", "rate-with-setup[sessions=1000000]", "xdp", "ratio",
           True, 0.70, ""),
    *(Figure(bench, metric, "xdp", what, least, limit, unit)
      for bench in ("xdp-decap", "xdp-encap")
      for metric, what, least, limit, unit in (
          ("added[sessions=1]", "value", False, 60, "ns"),
          ("rate-with-setup[sessions=1]", "ratio", True, 0.88, ""),
          ("rate-with-setup[sessions=1000000]", "ratio", True, 0.70, ""))),
    *(Figure(bench, f"rate[size={size}]", "ovs", "ratio", True, 0.15, "")
      for bench in ("ovs-decap", "ovs-encap")
      for size in ("100", "512", "1400", "mix")),
    *(Figure("service-path", f"rate[size={size}]", "xdp", "ratio", True, 0.6,
             "") for size in ("100", "512", "1400", "mix")),
    Figure("learn-rate", "learned", "xdp", "value", True, 40000, "tunnels/s"),
    Figure("learn-rate", "learned", "ovs", "value", True, 20000, "tunnels/s"),
    Figure("learn-rate", "proved", "xdp", "value", True, 15000, "tunnels/s"),
    Figure("learn-rate", "proved", "ovs", "value", True, 15000, "tunnels/s"),
    Figure("learn-rate", "diverted", "ovs", "value", True, 3000, "tunnels/s"),
    *(Figure(*row) for dp in ("xdp", "ovs") for row in (
        ("learn-latency", "latency.p50", dp, "value", False, 3, "ms"),
        ("learn-latency", "latency.p99", dp, "value", False, 10, "ms"),
        ("register-latency", "post-to-app.p99", dp, "value", False, 10, "ms"),
        ("first-packet", "retransmissions", dp, "value", False, 0, ""),
        ("memory", "tofd-per-session", dp, "value", False, 300, "bytes"))),
    Figure("memory", "all", "xdp", "value", False, 600, "MB"),
    Figure("restart", "lost", "xdp", "value", False, 0, "packets"),
    Figure("restart", "adopted", "xdp", "value", False, 1, "s"),
    *(Figure("migrate", f"{metric}[active={n}]", dp, "value", False, limit,
             unit)
      for dp, n in (("xdp", 1000), ("xdp", 100000), ("ovs", 1000))
      for metric, limit, unit in (
          ("outage", 16, "ms"), ("outage-back", 16, "ms"),
          ("jitter", 50, "ms"), ("lost", 0, "packets"), ("learned", 0, ""),
          ("held", 0, ""))),
]


def read(path):
    with open(path, encoding="ascii") as f:
        return [json.loads(line) for line in f if line.strip()]


def number(value, unit=""):
    """1234567 packets/s -> 1.235 M."""
    if value is None:
        return ""
    if unit in ("packets/s", "tunnels/s") and value >= 1e6:
        return f"{value / 1e6:.3g} M"
    if unit in ("packets/s", "tunnels/s") and value >= 1e4:
        return f"{value / 1e3:.3g} k"
    return f"{value:.4g}" if value < 1e4 else f"{value:.0f}"


def table(head, rows):
    return ["| " + " | ".join(head) + " |",
            "|" + "---|" * len(head)] + \
        ["| " + " | ".join(map(str, row)) + " |" for row in rows]


def worst(rows, figure):
    """The row that a figure is about; of several tries the worst."""
    found = [r for r in rows if r["bench"] == figure.bench
             and r["datapath"] == figure.datapath
             and re.sub(r"\[try=\d+\]|,try=\d+", "",
                        r["metric"]) == figure.metric
             and r[figure.what] is not None]
    return sorted(found, key=lambda r: r[figure.what],
                  reverse=not figure.least)[0] if found else None


def figures(rows):
    out = []
    for f in FIGURES:
        row = worst(rows, f)
        if not row:
            out.append((f.bench, f.datapath, f.metric, wanted(f),
                        "not measured", ""))
            continue
        value = row[f.what]
        good = value >= f.limit if f.least else value <= f.limit
        shown = number(value, f.unit) + (f" {f.unit}" if f.unit else "")
        out.append((f.bench, f.datapath, f.metric, wanted(f), shown,
                    "reached" if good else missed(f, value)))
    return table(("bench", "data path", "metric", "figure", "measured", ""),
                 out)


def wanted(f):
    what = "ratio " if f.what == "ratio" else ""
    limit = number(f.limit, f.unit)
    return f"{what}{'≥' if f.least else '≤'} {limit} {f.unit}".rstrip()


def missed(f, value):
    if not f.limit or not value:
        return "**missed**"
    by = f.limit / value if f.least else value / f.limit
    return f"**missed** by a factor of {by:.2g}" if by >= 1.5 else \
        f"**missed** by {100 * (by - 1):.2g} %"


def everything(rows):
    """Median, spread and ratio of each metric, percentiles in a line."""
    spread = {(r["bench"], r["metric"], r["datapath"]): r["value"]
              for r in rows}
    out, tails = [], defaultdict(list)
    for r in rows:
        m = re.fullmatch(r"(.*?)\.(p[\d.]+|min|max)((?:\[.*\])?)",
                         r["metric"])
        if m and m[2][0] == "p":
            tails[r["bench"], m[1] + m[3], r["datapath"], r["unit"]].append(
                f"{m[2]} {number(r['value'])}")
        elif not m:
            out.append(line(r, spread))
    for (bench, metric, datapath, unit), points in tails.items():
        out.append((bench, datapath or "", metric, ", ".join(points), unit,
                    "", ""))
    order = list(dict.fromkeys(r["bench"] for r in rows))
    out.sort(key=lambda row: order.index(row[0]))
    return table(("bench", "data path or peer", "metric",
                  "median (lowest – highest)", "unit", "baseline", "ratio"),
                 out)


def line(r, spread):
    stem, _, where = r["metric"].partition("[")
    ends = [spread.get((r["bench"], f"{stem}.{end}{_}{where}",
                        r["datapath"])) for end in ("min", "max")]
    value = number(r["value"], r["unit"])
    if None not in ends and ends[0] != ends[1]:
        value += " ({} – {})".format(*(number(e, r["unit"]) for e in ends))
    return (r["bench"], r["datapath"] or "", r["metric"], value, r["unit"],
            number(r["baseline"], r["unit"]), number(r["ratio"]))


def machine():
    model = "?"
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        for entry in f:
            if entry.startswith("model name"):
                model = entry.split(":", 1)[1].strip()
    return f"{os.cpu_count()} processors, {model}; Linux " \
        f"{platform.release()}; {time.strftime('%Y-%m-%d')}."


def write(rows, unavailable):
    """'unavailable': what could not be measured, (bench, data path, why)."""
    with open(TEXT, encoding="utf-8") as f:
        text = f.read()
    middle = ["", machine(), "", "### Figures", "", *figures(rows), "",
              "### All results", "", *everything(rows), ""]
    for bench, datapath, why in unavailable or ():
        where = f" ({datapath})" if datapath else ""
        middle.append(f"- {bench}{where}: not available: {why}")
    head, rest = text.split(BEGIN, 1)
    tail = rest.split(END, 1)[1]
    with open(TEXT, "w", encoding="utf-8") as f:
        f.write(head + BEGIN + "\n" + "\n".join(middle).rstrip() + "\n\n"
                + END + tail)
    plots.draw(rows, os.path.join(TOP, "doc/plots"))
