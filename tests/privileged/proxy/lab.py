"""A node, pods behind it and a client outside, each a network namespace, joined by routed pairs.

    client 192.0.2.2 -- 192.0.2.1 node 10.77.N.1 -- 10.77.N.2 pod N      (and fd77::/16 alike)

Every pod answers on TCP and UDP with its name and the address that it saw the caller under.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import selectors
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator

# Before the number of the process whose namespaces they are.
PREFIX = "cyb-lab-"
OWN = f"{PREFIX}{os.getpid()}-"
NODE, CLIENT = f"{OWN}node", f"{OWN}client"
NODE_IP = {4: "192.0.2.1", 6: "fd02::1"}
CLIENT_IP = {4: "192.0.2.2", 6: "fd02::2"}
POD_RANGES = ("10.77.0.0/16", "fd77::/16")
PORT = 8080
# Errors at once, however many tests wait for one.
_SYSCTLS = {
    "net/ipv4/ip_forward": "1",
    "net/ipv6/conf/all/forwarding": "1",
    "net/ipv4/icmp_ratelimit": "0",
    "net/ipv6/icmp/ratelimit": "0",
    "net/ipv4/conf/all/send_redirects": "0",
}
_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def pod(number: int) -> str:
    return f"{OWN}pod{number}"


def pod_ip(number: int, family: int = 4) -> str:
    return f"10.77.{number}.2" if family == 4 else f"fd77:{number}::2"


@contextlib.contextmanager
def inside(namespace: str) -> Iterator[None]:
    """This thread is in the namespace; sockets opened here stay there."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        enter(namespace)
        yield
    finally:
        _set_namespace(home)
        os.close(home)


def enter(namespace: str) -> None:
    """This thread is in the namespace from now on."""
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        _set_namespace(there)
    finally:
        os.close(there)


def _set_namespace(fd: int) -> None:
    if _libc.setns(fd, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def run(*command: str, namespace: str = "") -> str:
    prefix = ("ip", "netns", "exec", namespace) if namespace else ()
    done = subprocess.run([*prefix, *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout


class Lab:
    """Use as a context manager; nothing of it remains."""

    def __init__(self, pods: int) -> None:
        self.pods = pods
        self._servers: dict[int, Callable[[], None]] = {}

    def __enter__(self) -> Lab:
        remove_all()
        try:
            self._build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for end in self._servers.values():
            end()
        remove_all()

    def stop(self, number: int) -> None:
        """The pod refuses connections until `start`."""
        self._servers.pop(number)()

    def start(self, number: int) -> None:
        self._servers[number] = serve_name(pod(number), f"pod{number}")

    def _build(self) -> None:
        run("ip", "netns", "add", NODE)
        run("ip", "link", "set", "lo", "up", namespace=NODE)
        for name, value in _SYSCTLS.items():
            with inside(NODE), open(f"/proc/sys/{name}", "w") as file:
                file.write(value)
        _join(CLIENT, "px-client", NODE_IP, CLIENT_IP)
        # As every machine has: without it the kernel has no route for service addresses to begin with.
        run("ip", "route", "add", "default", "via", CLIENT_IP[4], namespace=NODE)
        run("ip", "-6", "route", "add", "default", "via", CLIENT_IP[6], namespace=NODE)
        for number in range(1, self.pods + 1):
            gateways = {4: f"10.77.{number}.1", 6: f"fd77:{number}::1"}
            _join(pod(number), f"px-pod{number}", gateways, {f: pod_ip(number, f) for f in (4, 6)})
            self.start(number)


def serve_name(namespace: str, name: str) -> Callable[[], None]:
    """Answer on TCP and UDP in the namespace until the returned function is called."""
    listeners = []
    with inside(namespace):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            each = socket.socket(socket.AF_INET6, kind)
            each.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            each.bind(("::", PORT))
            if kind == socket.SOCK_STREAM:
                each.listen(64)
            listeners.append(each)
    stop = threading.Event()
    thread = threading.Thread(target=_answer, args=(name, listeners, stop), daemon=True)
    thread.start()

    def end() -> None:
        stop.set()
        thread.join(5)
        for each in listeners:
            each.close()

    return end


def _answer(name: str, listeners: list[socket.socket], stop: threading.Event) -> None:
    with selectors.DefaultSelector() as selector:
        for each in listeners:
            selector.register(each, selectors.EVENT_READ)
        while not stop.is_set():
            for key, _ in selector.select(0.1):
                _answer_one(name, key.fileobj)  # type: ignore[arg-type]


def _answer_one(name: str, listener: socket.socket) -> None:
    if listener.type == socket.SOCK_DGRAM:
        _, peer = listener.recvfrom(100)
        listener.sendto(f"{name} {_plain(peer[0])}".encode(), peer)
        return
    connection, peer = listener.accept()
    with connection:
        connection.sendall(f"{name} {_plain(peer[0])}".encode())


def _plain(address: str) -> str:
    return address.removeprefix("::ffff:")


def _join(namespace: str, link: str, near: dict[int, str], far: dict[int, str]) -> None:
    run("ip", "netns", "add", namespace)
    run("ip", "link", "set", "lo", "up", namespace=namespace)
    run("ip", "link", "add", link, "netns", NODE, "type", "veth", "peer", "name", "eth0", "netns", namespace)
    for place, name, own, other in ((NODE, link, near, far), (namespace, "eth0", far, near)):
        run("ip", "addr", "add", f"{own[4]}/32", "peer", other[4], "dev", name, namespace=place)
        run("ip", "-6", "addr", "add", f"{own[6]}/64", "dev", name, "nodad", namespace=place)
        run("ip", "link", "set", name, "up", namespace=place)
    run("ip", "route", "add", "default", "via", near[4], "dev", "eth0", namespace=namespace)
    run("ip", "-6", "route", "add", "default", "via", near[6], "dev", "eth0", namespace=namespace)


def remove_all() -> None:
    """Namespaces of this process, and those that processes have left which are no more."""
    for line in run("ip", "netns", "list").splitlines():
        name = line.split()[0]
        owner = name.removeprefix(PREFIX).partition("-")[0]
        if name.startswith(OWN) or (name.startswith(PREFIX) and not os.path.exists(f"/proc/{owner}")):
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


def ask_until(done: Callable[[], bool], namespace: str, address: str, port: int) -> tuple[int, list[str]]:
    """(connections that were answered, what went wrong with the others), one after the other until `done`."""
    answered, wrong = 0, []
    while not done():
        try:
            ask(namespace, address, port)
            answered += 1
        except OSError as why:
            wrong.append(repr(why))
    return answered, wrong


def icmp_errors(namespace: str) -> str:
    """How many a namespace was sent because something can't be reached, as text."""
    return run("nstat", "-asz", "IcmpInDestUnreachs", "Icmp6InDestUnreachs", namespace=namespace)


def ask(namespace: str, address: str, port: int, *, udp: bool = False, timeout_s: float = 30.0) -> tuple[str, str]:
    """(pod, address it saw) of one new connection; OSError when refused, TimeoutError when nothing answers."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with inside(namespace):
        caller = socket.socket(family, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM)
    with caller:
        caller.settimeout(timeout_s)
        caller.connect((address, port))
        if udp:
            caller.send(b"?")
        name, seen = caller.recv(100).decode().split()
    return name, seen
