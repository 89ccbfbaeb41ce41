"""A state above its limit: an error where it is made, and nothing else is lost."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

import lightning_grpc as L

MIB = 1 << 20


class Greedy(L.LightningWork):
    """Makes its state too large, in one way or another."""

    def __init__(self):
        super().__init__(parallel=True, raise_exception=False)
        self.text = ""
        self.more = ""
        self.items = []
        self.number = 0
        self.last = 0

    def run(self, how):
        self.last += 1
        if how == "text":
            self.text = "x" * (3 * MIB)
        elif how == "two texts":
            self.text = "x" * (MIB + MIB // 2)
            self.more = "y" * MIB
        elif how == "list":
            self.items = ["z" * 1000] * 4000
        elif how == "in place":
            self.items.extend(["z" * 1000] * 4000)
        elif how == "number":
            self.number = 1 << (8 * 3 * MIB)
        elif how == "well":
            self.text, self.more, self.items, self.number = "small", "", [], 0
        self.last += 1


@pytest.mark.parametrize(
    ("how", "attribute", "last"),
    [
        ("text", "text", 1),
        ("two texts", "more", 2),
        ("list", "items", 2),
        ("in place", "items", 2),
        ("number", "number", 2),
    ],
)
def test_a_state_above_its_limit_is_an_error_and_the_work_goes_on(how, attribute, last):
    class Flow(L.LightningFlow):
        def __init__(self):
            super().__init__()
            self.work = Greedy()
            self.message = ""

        def run(self):
            self.work.run(how)
            if self.work.has_failed and not self.message:
                self.message = self.work.status.message
                assert self.work.last == last
            if self.message:
                self.work.run("well")
                if self.work.has_succeeded:
                    self.stop()

    flow = Flow()
    L.LightningApp(flow, state_limit_bytes=2 * MIB).run()
    assert f"root.work (Greedy): {attribute} takes" in flow.message
    assert "above its limit of 2.0 MiB" in flow.message
    assert flow.work.text == "small"
    assert flow.work.last == last + 2


@pytest.mark.parametrize("limit_bytes", [0, 193 * MIB])
def test_a_limit_of_nothing_or_of_more_than_can_be_sent_is_refused(limit_bytes):
    with pytest.raises(ValueError, match=r"state_limit_bytes is a size in bytes above 0, up to 201326592 \(192 MiB\)"):
        L.LightningApp(Greedy(), state_limit_bytes=limit_bytes)


class Careless(L.LightningWork):
    """Puts into its state what that cannot hold, or too much, and goes on for as long as it is watched."""

    def __init__(self):
        super().__init__(parallel=True, raise_exception=False)
        self.items = []
        self.ticks = 0

    def run(self, how, until):
        self.items.append(object() if how == "object" else "x" * (3 * MIB))
        while not Path(until).exists():
            self.ticks += 1
            time.sleep(0.01)
        self.ticks = -1


@pytest.mark.parametrize(("how", "words"), [("object", "items[0]"), ("large", "items takes 3.0 MiB")])
def test_what_is_not_published_is_told_while_the_run_goes_on_and_the_rest_is_published(how, words, tmp_path, capfd):
    told = []

    class Flow(L.LightningFlow):
        def __init__(self):
            super().__init__()
            self.work = Careless()

        def run(self):
            self.work.run(how, str(tmp_path / "enough"))
            if self.work.ticks > 20 and not told:
                told.append(capfd.readouterr().err)
                (tmp_path / "enough").touch()
            if self.work.has_failed:
                self.stop()

    flow = Flow()
    L.LightningApp(flow, state_limit_bytes=2 * MIB).run()
    assert f"WARNING: root.work (Careless): {words}" in told[0]
    assert "not published, and the run fails if it is so when it ends" in told[0]
    assert told[0].count("not published") == 1
    assert words in flow.work.status.message
    assert (flow.work.items, flow.work.ticks) == ([], -1)
