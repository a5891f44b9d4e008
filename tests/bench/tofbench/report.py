# SPDX-License-Identifier: GPL-3.0-or-later
"""What was measured, as one JSON object a line and as a table.

A figure is the median of several repetitions; its spread is told by two more
lines whose metrics end in ".min" and ".max".  What a metric holds for is in
brackets behind its name: "rate[size=512]"."""

import json
import statistics
import sys

KEYS = ("bench", "metric", "value", "unit", "baseline", "ratio", "datapath")


def rounded(value):
    """Four digits are more than such figures are good for."""
    return None if value is None else float(f"{value:.4g}")


def name(metric, **where):
    """metric[a=1,b=2]"""
    inside = ",".join(f"{k}={v}" for k, v in where.items())
    return f"{metric}[{inside}]" if inside else metric


def percentile(values, p):
    """The smallest value that p percent of 'values' do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1,
                       max(0, -(-len(ordered) * p // 100) - 1))] \
        if float(p).is_integer() else \
        ordered[min(len(ordered) - 1, int(len(ordered) * p / 100))]


class Report:
    def __init__(self, stream=sys.stdout, path=None):
        self._stream = stream
        self._file = open(path, "a", encoding="ascii") if path else None
        self.rows = []
        self.unavailable = []

    def add(self, bench, metric, value, unit, baseline=None, datapath=None,
            ratio=None):
        """'ratio': of value to baseline, unless given."""
        if ratio is None and baseline:
            ratio = value / baseline
        row = dict(zip(KEYS, (bench, metric, rounded(value), unit,
                              rounded(baseline), rounded(ratio), datapath)))
        self.rows.append(row)
        line = json.dumps(row)
        for f in (self._stream, self._file):
            if f:
                print(line, file=f, flush=True)

    def spread(self, bench, metric, values, unit, baseline=None,
               datapath=None, **where):
        """The median of 'values' and their spread.  'baseline': values,
        too, each measured right before or after its counterpart; the ratio is
        the median of their ratios."""
        ratio = base = None
        if baseline:
            ratio = statistics.median(
                v / b for v, b in zip(values, baseline))
            base = statistics.median(baseline)
        self.add(bench, name(metric, **where), statistics.median(values),
                 unit, base, datapath, ratio)
        self.add(bench, name(metric + ".min", **where), min(values), unit,
                 datapath=datapath)
        self.add(bench, name(metric + ".max", **where), max(values), unit,
                 datapath=datapath)

    def percentiles(self, bench, metric, values, unit, datapath=None,
                    points=(50, 99), **where):
        for p in points:
            self.add(bench, name(f"{metric}.p{p:g}", **where),
                     percentile(values, p), unit, datapath=datapath)

    def not_available(self, bench, why, datapath=None):
        self.unavailable.append((bench, datapath, why))
        print(f"bench: {bench}{f' ({datapath})' if datapath else ''}: not "
              f"available: {why}", file=sys.stderr, flush=True)

    def table(self, stream=sys.stderr):
        rows = [("bench", "metric", "value", "unit", "baseline", "ratio",
                 "datapath")]
        for r in self.rows:
            rows.append(tuple("" if r[k] is None else f"{r[k]:g}"
                              if isinstance(r[k], float) else str(r[k])
                              for k in KEYS))
        widths = [max(len(row[i]) for row in rows) for i in range(len(KEYS))]
        for row in rows:
            print("  ".join(cell.rjust(w) if i in (2, 4, 5) else cell.ljust(w)
                            for i, (cell, w) in enumerate(zip(row, widths)))
                  .rstrip(), file=stream)
        for bench, datapath, why in self.unavailable:
            print(f"{bench}{f' ({datapath})' if datapath else ''}: not "
                  f"available: {why}", file=stream)
