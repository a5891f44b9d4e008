# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates for section "tls" of tof.yaml."""

import subprocess


def openssl(*args):
    subprocess.run(["openssl", *map(str, args)], check=True,
                   capture_output=True)


class Authority:
    """Makes certificates, as files NAME.pem and NAME.key."""

    def __init__(self, path):
        self.path = path
        path.mkdir()
        self.ca = path / "ca.pem"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=authority",
                "-keyout", path / "ca.key", "-out", self.ca)

    def make(self, name):
        key, cert = self.path / f"{name}.key", self.path / f"{name}.pem"
        request = self.path / f"{name}.csr"
        openssl("req", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                "-keyout", key, "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey",
                self.path / "ca.key", "-CAcreateserial", "-out", cert)
        return cert, key

    def section(self, name):
        """Of tof.yaml."""
        cert, key = self.make(name)
        return f"tls: {{cert: {cert}, key: {key}, ca: {self.ca}}}\n"
