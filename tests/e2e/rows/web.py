"""A program that tells who it is over HTTP, TLS and UDP, and asks others: the servers and clients of test pods.

    web.py http=80 udp=8081 tls=443     listen there, until SIGTERM

HTTP   /hostname /clientip /header?key= /echo?msg= /healthz, /exit?code=, and
       /dial?protocol=http|udp&host=&port=&request=&tries=   asks another one: {"responses": […], "errors": […]}
       anything else answers {"Method", "Path", "Body"} of the request
UDP    `hostname`, `clientip`, anything else is sent back
Where DELAY_S is set, SIGTERM is obeyed only after so long.
"""

from __future__ import annotations

import http.client
import http.server
import json
import os
import signal
import socket
import socketserver
import ssl
import sys
import threading
import time
import urllib.parse
from typing import Any

_TIMEOUT_S = 3


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        parts = urllib.parse.urlsplit(self.path)
        query = {name: values[0] for name, values in urllib.parse.parse_qs(parts.query).items()}
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        port = self.connection.getsockname()[1]
        match parts.path:
            case "/hostname":
                text = socket.gethostname()
            case "/clientip":
                text = "{}:{}".format(*self.client_address[:2])
            case "/header":
                text = self.headers.get(query["key"]) or ""
            case "/echo":
                text = query["msg"]
            case "/port":
                text = str(port)
            case "/healthz":
                text = "ok"
            case "/exit":
                os._exit(int(query["code"]))
            case "/dial":
                text = json.dumps(dial(query))
            case _:
                text = json.dumps({"Method": self.command, "Path": self.path, "Body": body, "Port": port})
        self.send_response(200)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text.encode())

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer

    def log_message(self, format: str, *args: Any) -> None:
        return None


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    allow_reuse_address = daemon_threads = True
    request_queue_size = 128


class Datagrams(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        data, answers = self.request
        match data.decode().strip().lower():
            case "hostname":
                text = socket.gethostname()
            case "clientip":
                text = "{}:{}".format(*self.client_address[:2])
            case other:
                text = other
        answers.sendto(text.encode(), self.client_address)


def dial(query: dict[str, str]) -> dict[str, list[str]]:
    ask = ask_udp if query["protocol"] == "udp" else ask_http
    responses, errors = [], []
    for _ in range(int(query.get("tries", "1"))):
        try:
            responses.append(ask(query["host"], int(query["port"]), query["request"]))
        except (OSError, http.client.HTTPException) as failed:
            errors.append(repr(failed))
    return {"responses": responses, "errors": errors}


def ask_http(host: str, port: int, request: str) -> str:
    connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", f"/{request}")
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def ask_udp(host: str, port: int, request: str) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(_TIMEOUT_S)
        client.connect((host, port))
        client.send(request.encode())
        return client.recv(2048).decode()


def serve(kind: str, port: int) -> None:
    server: socketserver.BaseServer
    if kind == "udp":
        server = socketserver.ThreadingUDPServer(("", port), Datagrams)
    else:
        server = Server(("", port), Handler)
    if kind == "tls":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain("/web.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True)  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()


def main() -> None:
    for each in sys.argv[1:]:
        kind, _, port = each.partition("=")
        serve(kind, int(port))
    print("serving", *sys.argv[1:], flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    time.sleep(float(os.environ.get("DELAY_S", "0")))


if __name__ == "__main__":
    main()
