"""What an app and its Works print can be read from outside, together, while it runs."""

from __future__ import annotations

import threading

import pytest
from served_apps import Served, until
from updated_works import Printing

import lightning_grpc as L
from lightning_grpc.errors import ConfigurationError


class Speaking(L.LightningFlow):
    """Prints what it is told, and has two Works print."""

    def __init__(self):
        super().__init__()
        self.left = Printing()
        self.right = Printing()
        self.late = Printing(start_with_flow=False)
        self.word = ""
        self.n = self.seen = 0

    def go_on(self):
        """Nothing holds it up."""

    def run(self):
        if self.word:
            print("the Flow says", self.word)
            self.left.run(2, f"left {self.word}")
            self.right.run(1)
            if self.word == "late":
                self.late.run(1)
            self.word = ""


class Reader:
    """Reads lines on a thread of its own."""

    def __init__(self, client, *components, tail=100):
        self.lines = []
        self.has_ended = False
        self._stream = client.logs(*components, tail=tail, follow=True)
        self.thread = threading.Thread(target=self._read, name="reading logs")
        self.thread.start()

    def _read(self):
        for line in self._stream:
            self.lines.append((line.component, line.kind, line.text))
        self.has_ended = True

    def until(self, *line):
        until(lambda: line in self.lines, f"{line} among {self.lines}")


def test_lines_of_the_flow_and_of_its_works_come_with_their_names_and_the_end_of_the_app_ends_them():
    with Served(Speaking()) as served, served.client() as client:
        reader = Reader(client)
        client.update("root.word", "hello")
        reader.until("root", "stdout", "the Flow says hello")
        reader.until("root.left", "stdout", "line 1")
        reader.until("root.left", "stderr", "left hello")
        reader.until("root.right", "stdout", "line 0")
        client.stop("a test")
        reader.thread.join(30)
        assert reader.has_ended
        assert ("root.left", "stdout", "goodbye") in reader.lines


def test_the_past_comes_in_the_order_of_its_times_and_only_of_who_is_asked_for():
    with Served(Speaking()) as served, served.client() as client:
        client.update("root.word", "hello")
        reader = Reader(client)
        reader.until("root.left", "stderr", "left hello")
        reader.until("root.right", "stdout", "line 0")
        lines = list(client.logs())
        assert [line.at_s for line in lines] == sorted(line.at_s for line in lines)
        assert {line.component for line in lines} == {"root", "root.left", "root.right"}
        assert {line.component for line in client.logs("root.left")} == {"root.left"}
        assert {line.component for line in client.logs("root")} == {"root"}
        assert [line.text for line in client.logs("root.left", tail=1)] == ["left hello"]
        client.stop("a test")
        reader.thread.join(30)


def test_a_name_that_no_component_has_gives_no_line():
    with Served(Speaking()) as served, served.client() as client:
        assert list(client.logs("root.nobody")) == []


def test_a_work_that_starts_later_is_read_from_its_beginning():
    with Served(Speaking()) as served, served.client() as client:
        reader = Reader(client, "root", "root.late", tail=5)
        reader.until("root", "stderr", "INFO: Your app has started.")
        client.update("root.word", "late")
        reader.until("root.late", "stdout", "started")
        reader.until("root.late", "stdout", "line 0")
        client.stop("a test")
        reader.thread.join(30)


def test_an_app_that_is_not_served_has_no_logs_to_read():
    with pytest.raises(ConfigurationError), L.AppClient(name="nobody") as client:
        list(client.logs())
