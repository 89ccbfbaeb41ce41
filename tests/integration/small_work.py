"""A few small Works for the tests of Works that are served by themselves."""

from __future__ import annotations

import hashlib
import os
import signal
import time

import lightning_grpc as L


class Counter(L.LightningWork):
    """Counts up to a number."""

    def __init__(self, counter=0):
        super().__init__(parallel=True)
        self.counter = counter

    def run(self, n=1, pause_s=0.0):
        for _ in range(n):
            self.counter += 1
            if pause_s:
                time.sleep(pause_s)


class Echo(L.LightningWork):
    """Keeps what it was called with; whoever follows it may set it, too."""

    def __init__(self):
        super().__init__(parallel=True, receive_updates=True)
        self.args = []
        self.kwargs = {}

    def run(self, *args, **kwargs):
        self.args = list(args)
        self.kwargs = kwargs


class Failing(L.LightningWork):
    """Fails."""

    def __init__(self):
        super().__init__(parallel=True)
        self.before = 0

    def run(self, reason="the reason given"):
        self.before += 1
        raise ValueError(reason)


class Waiting(L.LightningWork):
    """Waits until it is let go, by an update of `stop` or by its end."""

    def __init__(self):
        super().__init__(parallel=True, receive_updates=True)
        self.stop = False
        self.entered = 0
        self.left = 0
        self.pid = os.getpid()

    def run(self):
        self.pid = os.getpid()
        self.entered += 1
        try:
            while not self.stop:
                time.sleep(0.005)
        finally:
            self.left += 1


class Stubborn(L.LightningWork):
    """Swallows what interrupts it."""

    def __init__(self):
        super().__init__(parallel=True)
        self.entered = 0

    def run(self):
        self.entered += 1
        while True:
            try:
                while True:
                    time.sleep(0.01)
            except BaseException:
                time.sleep(0.01)

    def on_exit(self):
        while True:
            try:
                while True:
                    time.sleep(0.01)
            except BaseException:
                time.sleep(0.01)


class Deaf(L.LightningWork):
    """Has the system hand its signals to another thread than the main one, which they do not wake then."""

    def run(self):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})


class Keeper(L.LightningWork):
    """Has all that a check needs: it fails when it is told to, and an attribute may hold anything."""

    def __init__(self):
        super().__init__(parallel=True)
        self.runs = 0
        self.kept = None

    def run(self, n=1, fail=False):
        if fail:
            raise ValueError("as asked")
        self.runs += n


class Busy(L.LightningWork):
    """Spends its time in C code that handles no signals, and has much to do when it is interrupted."""

    def __init__(self):
        super().__init__(parallel=True)
        self.entered = 0
        self.left = 0

    def run(self):
        self.entered += 1
        try:
            while True:
                hashlib.pbkdf2_hmac("sha256", b"", b"", 200_000)
        finally:
            for _ in range(1000):
                self.left += 1
