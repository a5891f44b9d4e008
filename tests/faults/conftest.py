# SPDX-License-Identifier: GPL-3.0-or-later
"""What fault tests write down: with TOF_FAULTS_RECORD each appends an object
to that file, of which scripts/faults.sh makes doc/RELIABILITY.md's table."""

import json
import os

import pytest


@pytest.fixture
def record(request):
    """record(fault, what, outcome...): a row, of this test."""
    datapath = request.node.callspec.params.get("datapath", "") \
        if hasattr(request.node, "callspec") else ""

    def write(fault, **outcome):
        path = os.environ.get("TOF_FAULTS_RECORD")
        if path:
            with open(path, "a", encoding="utf-8") as f:
                f.write(json.dumps({"fault": fault, "datapath": datapath,
                                    **outcome}) + "\n")
    return write
