# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a lab is.  Names of lab.sh's namespaces and of its files are fixed, so
there is one lab at a place: HERE, this machine as it is, or a Site.

    with Site() as there:
        lab = Lab("--peers", "none", site=there)
        ...
        lab.run("lab-tof", "nft", "list", "ruleset")
        netns.veth("lab-tof", "x0", there.ns("lab-tof"), "x0")

A Site is what tests/net/private makes, with a /run of its own.  Its network
namespaces are seen from here by another name, that of a symbolic link into its
/run; its files by path().  When it is closed, or whoever has made it is dead,
all of its processes are killed, and what they had ends with them."""

import contextlib
import os
import subprocess

# lab.sh's, and those that tofd makes.
NAMESPACES = ("lab-enb", "lab-sgw", "lab-pdn", "lab-app", "lab-tof", "lab-sw",
              "tof-app", "tof-learn")

PRIVATE = os.path.normpath(os.path.join(os.path.dirname(__file__),
                                        "../private"))


class Here:
    """The first place."""

    def ns(self, name):
        """By this name, namespace 'name' of that place is known here."""
        return name

    def path(self, path):
        """By this path, a file of that place is found here."""
        return path

    def command(self, *argv):
        """The command line that runs 'argv' there."""
        return [str(a) for a in argv]


HERE = Here()


class Site(Here):
    def __init__(self, name="b"):
        self.name = name
        # It lasts until its input ends.
        self._holder = subprocess.Popen(
            [PRIVATE, "bash", "-c", "echo ready; read -r _ || :"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            assert self._holder.stdout.readline() == b"ready\n", "no site"
            for ns in NAMESPACES:
                self._show(ns)
        except BaseException:
            self.close()
            raise

    def _link(self, ns):
        return f"/run/netns/{self.ns(ns)}"

    def _show(self, ns):
        os.makedirs("/run/netns", exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._link(ns))
        os.symlink(self.path(f"/run/netns/{ns}"), self._link(ns))

    def ns(self, name):
        return f"{self.name}-{name}"

    def path(self, path):
        return f"/proc/{self._holder.pid}/root{path}"

    def command(self, *argv):
        at = f"/proc/{self._holder.pid}/ns"
        return ["nsenter", f"--mount={at}/mnt", f"--net={at}/net",
                f"--pid={at}/pid_for_children", "--", *map(str, argv)]

    def close(self):
        self._holder.stdin.close()
        self._holder.wait()
        self._holder.stdout.close()
        for ns in NAMESPACES:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._link(ns))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
