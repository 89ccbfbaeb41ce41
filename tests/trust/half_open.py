"""A program that holds connections open and says nothing on them: ``half_open.py HOST PORT COUNT``.

Prints how many connections were accepted, and for each line on stdin how many of them are closed by now.
"""

from __future__ import annotations

import contextlib
import resource
import select
import socket
import sys


def main():
    host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    connections = []
    with contextlib.suppress(OSError):  # as many as it gets
        while len(connections) < count:
            connections.append(socket.create_connection((host, port), timeout=30))
    print(len(connections), flush=True)
    poll = select.poll()
    for each in connections:
        poll.register(each, select.POLLRDHUP | select.POLLHUP | select.POLLERR)
    while sys.stdin.readline():
        print(len(poll.poll(0)), flush=True)


main()
