# SPDX-License-Identifier: GPL-3.0-or-later
"""What fault tests have recorded, to doc/RELIABILITY.md between its markers.

    document.py RECORD"""

import json
import os
import platform
import sys
import time

TOP = os.path.normpath(os.path.join(os.path.dirname(__file__), "../.."))
TEXT = os.path.join(TOP, "doc/RELIABILITY.md")
BEGIN, END = "<!-- faults: begin -->", "<!-- faults: end -->"

HEAD = """
Made by `scripts/faults.sh --document` on {date}, Linux {kernel}, {n} \
processors.
Each fault meets four UEs, of both families: packets of two are switched, both
ways, 100 a second; packets of two are diverted, 100 a second. Two new UEs
come while it lasts. *Lost* is what came neither to the SGW nor was answered;
*gap*, for how long at most nothing else was true of diverted packets. *Served*
is when the App answers all of them, two more that have come since, and
`/healthz` says 200: counted from the fault, or, where the fault has an end,
from that. `scripts/faults.sh NAME` tries it again.

| name | fault | data path | switched: lost of sent | diverted: lost of sent, \
gap | new UEs' first packets | served after |
|---|---|---|---|---|---|---|
"""


def seconds(value):
    return "under 0.1 s" if value < 0.1 else f"{value:.1f} s"


def what_became(count):
    parts = [(count["answered"], "answered"), (count["switched"], "switched"),
             (count["sent"] - count["answered"] - count["switched"], "lost")]
    return ", ".join(f"{n} {what}" for n, what in parts if n) or "none sent"


def row(r):
    known = r["known"]
    lost = known["sent"] - known["answered"] - known["switched"]
    return "| `{}` | {} | {} | {} | {} | {} | {} |".format(
        r["fault"], r["what"], r["datapath"],
        f"{r['lost_up'] + r['lost_down']} of {2 * r['sent']}",
        f"{lost} of {known['sent']}"
        + (f", {seconds(known['gap'])}" if lost else ""),
        what_became(r["new"]), seconds(r["back"]))


def write(rows):
    head = HEAD.format(date=time.strftime("%Y-%m-%d"), n=os.cpu_count(),
                       kernel=".".join(platform.release().split(".")[:2]))
    with open(TEXT, encoding="utf-8") as f:
        before, rest = f.read().split(BEGIN)
    after = rest.split(END)[1]
    with open(TEXT, "w", encoding="utf-8") as f:
        f.write(before + BEGIN + head + "\n".join(map(row, rows)) + "\n"
                + END + after)


def main(path):
    with open(path, encoding="utf-8") as f:
        rows = [json.loads(line) for line in f]
    if not rows:
        sys.exit("document.py: no rows")
    write(rows)


if __name__ == "__main__":
    main(sys.argv[1])
