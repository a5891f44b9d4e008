# SPDX-License-Identifier: GPL-3.0-or-later
"""Plots of the results, drawn by gnuplot."""

import os
import re
import subprocess

SIZES = ("100", "512", "1400", "mix")
PATHS = ("redirect", "bridge", "kernel", "xdp", "ovs", "ovs-stock")
NAMES = {"redirect": "bare XDP redirect", "bridge": "kernel bridge",
         "kernel": "kernel forwarding and DNAT", "xdp": "TOF, xdp",
         "ovs": "TOF, ovs", "ovs-stock": "Open vSwitch of Debian"}
COLOURS = {"redirect": "#888888", "bridge": "#5b9bd5", "kernel": "#5b9bd5",
           "xdp": "#c0392b", "ovs": "#27ae60", "ovs-stock": "#e2b93b"}
STYLE = """\
set terminal pngcairo size {width},{height} font "sans,9" background "white"
set output "{path}"
set border 3
set tics nomirror
set grid ytics lc rgb "#dddddd"
"""


def gnuplot(script, path, width=640, height=400):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    text = STYLE.format(path=path, width=width, height=height) + script
    subprocess.run(["gnuplot"], input=text, text=True, check=True)


def block(name, lines):
    return f"${name} << EOD\n" + "\n".join(lines) + "\nEOD\n"


def value(rows, bench, metric, datapath, what="value"):
    for r in rows:
        if (r["bench"], r["metric"], r["datapath"]) == (bench, metric,
                                                         datapath):
            return r[what]
    return None


def draw(rows, directory):
    """Draws what there are results for."""
    for func, name in ((sessions, "xdp-sessions"),
                       (latency, "learn-latency"),
                       (sizes, "frame-size")):
        func(rows, os.path.join(directory, name + ".png"))


def sessions(rows, path):
    """Rate against number of sessions, and the bare redirect beside it."""
    data, plot = "", []
    for work in ("forward", "decap", "encap"):
        points = []
        for r in rows:
            m = re.fullmatch(r"rate\[sessions=(\d+)\]", r["metric"])
            if r["bench"] == f"xdp-{work}" and m and r["baseline"]:
                points.append(f"{m[1]} {r['value']} {r['baseline']}")
        if points:
            data += block(work, points)
            plot.append(f"${work} using 1:2 with linespoints lw 2 pt 7 "
                        f"title '{work}'")
    if not plot:
        return
    first = plot[0].split()[0]
    plot.insert(0, f"{first} using 1:3 with linespoints lw 1 pt 6 lc rgb "
                "'#888888' title 'bare redirect'")
    gnuplot(data + """
set logscale x
set format x "10^{%L}"
set xlabel "sessions, picked at random"
set ylabel "million packets a second, one processor"
set yrange [0:*]
set key bottom left
plot """ + ", \\\n".join(plot) + "\n", path)


def latency(rows, path):
    """How many of the first packets were delivered after how long."""
    data, plot = "", []
    for datapath in ("xdp", "ovs"):
        points = []
        for r in rows:
            m = re.fullmatch(r"latency\.p([\d.]+)", r["metric"])
            if r["bench"] == "learn-latency" and m \
                    and r["datapath"] == datapath:
                points.append(f"{r['value']} {m[1]}")
        if points:
            data += block(datapath, points)
            plot.append(f"${datapath} using 1:2 with linespoints lw 2 pt 7 "
                        f"lc rgb '{COLOURS[datapath]}' "
                        f"title '{NAMES[datapath]}'")
    if not plot:
        return
    gnuplot(data + """
set logscale x
set xlabel "ms from a UE's first packet, sent to a service, to its delivery"
set ylabel "per cent delivered by then"
set yrange [0:102]
set key bottom right
plot """ + ", \\\n".join(plot) + "\n", path)


def sizes(rows, path):
    """Rate against frame size, a panel a bench."""
    panels = []
    for bench in ("ovs-decap", "ovs-encap", "service-path"):
        present = [p for p in PATHS if value(
            rows, bench, f"rate[size={SIZES[0]}]", p)]
        if present:
            panels.append(panel(rows, bench, present))
    if panels:
        gnuplot(f"set multiplot layout 1,{len(panels)}\n" + "\n".join(panels),
                path, 320 * len(panels), 420)


def panel(rows, bench, paths):
    name = bench.replace("-", "_")
    lines = []
    for size in SIZES:
        row = [value(rows, bench, f"rate[size={size}]", p) for p in paths]
        if any(row):
            lines.append(f"{size} " + " ".join(
                "NaN" if v is None else f"{v / 1e6:.6g}" for v in row))
    plot = ", \\\n".join(
        f"${name} using {i + 2}:xtic(1) lc rgb '{COLOURS[p]}' "
        f"title '{NAMES[p]}'" for i, p in enumerate(paths))
    title = {"ovs-decap": "decapsulation", "ovs-encap": "encapsulation",
             "service-path": "UE to App and back"}[bench]
    return block(name, lines) + f"""
set title "{title}"
set style data histogram
set style histogram cluster gap 1
set style fill solid 0.9
set boxwidth 0.9
set logscale y
set yrange [0.001:1000]
set xlabel "bytes on S1-U"
set ylabel "million packets a second without loss"
set key top left reverse Left samplen 1 font ",7"
plot {plot}
"""
