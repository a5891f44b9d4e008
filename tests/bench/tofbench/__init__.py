# SPDX-License-Identifier: GPL-3.0-or-later
"""The benches of scripts/bench.sh: one module a group, one function a bench.

report.py    what was measured: JSON lines and a table
search.py    the highest rate without loss
engine.py    makes and counts frames (engine.c)
rig.py       namespaces, veths and frames that several benches use
profile.py   perf, while something is measured"""
