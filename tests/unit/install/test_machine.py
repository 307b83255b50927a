"""Ports that a program of this machine may keep."""

import socket

from cybernetes.install.machine import OWN_PORTS, free_port


def test_the_preferred_port_is_taken_when_it_is_free():
    wanted = free_port(0)
    assert free_port(wanted) == wanted


def test_another_port_is_none_that_outgoing_connections_are_given():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        found = free_port(taken.getsockname()[1])
    assert found in OWN_PORTS
