# SPDX-License-Identifier: GPL-3.0-or-later
"""What scripts/bench.sh runs, inside of namespaces of its own."""

import argparse
import os
import sys
import traceback

from . import (document, learn, lifetime, migrate, ovs, profile, report,
               service, xdp)

# In the order in which they run.  Each is called with a Run.
BENCHES = {
    "xdp-forward": xdp.forward,
    "xdp-decap": xdp.decap,
    "xdp-encap": xdp.encap,
    "ovs-decap": ovs.decap,
    "ovs-encap": ovs.encap,
    "service-path": service.service_path,
    "learn-rate": learn.learn_rate,
    "learn-latency": learn.learn_latency,
    "register-latency": service.register_latency,
    "first-packet": learn.first_packet,
    "memory": lifetime.memory,
    "restart": lifetime.restart,
    "migrate": migrate.migrate,
}


class Run:
    """What a bench is told, and where it puts what it has measured."""

    def __init__(self, args):
        self.quick = args.quick
        self.verbose = args.verbose
        self.datapaths = ["ovs", "xdp"] if args.datapath == "both" \
            else [args.datapath]
        self.report = report.Report(path=args.output)
        self.profile = profile.Profile(args.profile)

    def say(self, text):
        print(f"bench: {text}", file=sys.stderr, flush=True)

    def pick(self, full, quick):
        return quick if self.quick else full


def parse():
    p = argparse.ArgumentParser(prog="bench.sh", add_help=False)
    p.add_argument("names", nargs="*", metavar="NAME")
    p.add_argument("--datapath", choices=("ovs", "xdp", "both"),
                   default="both")
    p.add_argument("--quick", action="store_true")
    p.add_argument("--verbose", action="store_true")
    p.add_argument("--output", metavar="FILE")
    p.add_argument("--profile", metavar="DIR")
    p.add_argument("--document", action="store_true")
    p.add_argument("--redraw", metavar="FILE")
    p.add_argument("--list", action="store_true")
    p.add_argument("--check", action="store_true")
    args = p.parse_args()
    unknown = [n for n in args.names if n not in BENCHES]
    if unknown:
        p.error(f"no bench {', '.join(unknown)}; there are: "
                + ", ".join(BENCHES))
    if args.document and args.names:
        p.error("--document runs all benches")
    return args


def run_all(args):
    """Gives the number of benches that failed."""
    run, failed = Run(args), 0
    for name in args.names or BENCHES:
        run.say(name)
        try:
            with run.profile.of(name):
                BENCHES[name](run)
        except Exception:               # The others shall still run.
            traceback.print_exc()
            run.say(f"{name}: failed")
            failed += 1
    run.report.table()
    if args.document:
        document.write(run.report.rows, run.report.unavailable)
    return failed


def main():
    args = parse()
    if args.redraw:
        document.write(document.read(args.redraw), None)
    elif args.list:
        print("\n".join(BENCHES))
    elif not args.check:
        os.umask(0o022)
        sys.exit(1 if run_all(args) else 0)


main()
