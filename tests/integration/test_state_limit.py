"""A state above its limit: an error where it is made, and nothing else is lost."""

from __future__ import annotations

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
        elif how == "well":
            self.text, self.more, self.items = "small", "", []
        self.last += 1


@pytest.mark.parametrize(
    ("how", "attribute", "last"),
    [("text", "text", 1), ("two texts", "more", 2), ("list", "items", 2), ("in place", "items", 2)],
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


def test_a_limit_of_nothing_is_refused():
    with pytest.raises(ValueError, match="state_limit_bytes"):
        L.LightningApp(Greedy(), state_limit_bytes=0)
