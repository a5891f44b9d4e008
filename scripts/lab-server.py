#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's hosts: the ME App and the Internet host.  Started by lab.sh.

HTTP on port 80 answers every path with one word; with --echo, UDP and TCP on
port 7 send back what they get.  Both families.  X-Client tells who asked, as
seen from here."""

import argparse
import http.server
import socket
import socketserver
import sys
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    body = b""

    def do_GET(self):
        length = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(length)
        client = self.client_address[0].removeprefix("::ffff:")
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(self.body)))
        self.send_header("X-Client", client)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(self.body)

    do_HEAD = do_POST = do_PUT = do_GET


class DualStack(socketserver.ThreadingTCPServer):
    address_family = socket.AF_INET6
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 1024

    def server_bind(self):
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()

    def handle_error(self, request, client_address):
        error = sys.exc_info()[1]
        if not isinstance(error, ConnectionError):
            super().handle_error(request, client_address)


class TcpEcho(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(65536):
            self.request.sendall(data)


def udp_echo():
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    sock.bind(("::", 7))
    while True:
        try:
            data, peer = sock.recvfrom(65536)
            sock.sendto(data, peer)
        except OSError as e:
            print(f"udp echo: {e}", file=sys.stderr, flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("word")
    p.add_argument("--echo", action="store_true")
    args = p.parse_args()

    Handler.body = args.word.encode() + b"\n"
    if args.echo:
        threading.Thread(target=udp_echo, daemon=True).start()
        echo = DualStack(("::", 7), TcpEcho)
        threading.Thread(target=echo.serve_forever, daemon=True).start()
    DualStack(("::", 80), Handler).serve_forever()


if __name__ == "__main__":
    main()
