"""What a source tells of the versions of a state, and of lines that it reads twice."""

from __future__ import annotations

from lightning_grpc.dashboard.events import StateChanged, StateReplaced
from lightning_grpc.dashboard.source import _Lines, _told
from lightning_grpc.state.delta import Set
from lightning_grpc.state.replica import Version
from lightning_grpc.wire.logs import LogLine


def test_a_version_that_does_not_follow_replaces_the_state():
    first = Version(5, [], {"vars": {"n": 1}}, 5)
    follows = Version(9, [Set(("vars", "n"), 2, 1)], {"vars": {"n": 2}}, 6)
    later = Version(20, [Set(("vars", "n"), 3, 2)], {"vars": {"n": 3}}, 20)
    assert isinstance(_told(None, first), StateReplaced)
    told = _told(first, follows)
    assert isinstance(told, StateChanged)
    assert (told.first, told.revision, told.document) == (6, 9, {"vars": {"n": 2}})
    assert isinstance(_told(follows, later), StateReplaced)


def test_a_line_that_was_read_before_is_not_told_again_and_what_is_left_out_is():
    told = []
    lines = _Lines(told.append)
    for at_s in (1.0, 2.0, 3.0):
        lines.add(LogLine("root", "stdout", at_s, f"{at_s}"))
    lines.flush()
    lines.begin()
    for at_s in (1.0, 2.0, 3.0, 4.0):
        lines.add(LogLine("root", "stdout", at_s, f"{at_s}"))
    lines.add(LogLine("root.w", "stdout", 1.0, "another's"))
    lines.flush()
    lines.flush()
    assert [[line.text for line in event.lines] for event in told] == [["1.0", "2.0", "3.0"], ["4.0", "another's"]]
    for number in range(2100):
        lines.add(LogLine("root", "stdout", 5.0, f"{number}"))
    lines.flush()
    assert (told[-1].lines[0].kind, told[-1].lines[0].text) == ("dropped", "100 lines were left out")
    assert told[-1].lines[-1].text == "2099"


def test_lines_of_one_stream_are_all_told_whatever_their_clock_says():
    told = []
    lines = _Lines(told.append)
    lines.begin()
    for at_s in (2.0, 1.0, 2.0, 2.0):
        lines.add(LogLine("root", "stderr", at_s, f"{at_s}"))
    lines.flush()
    assert [line.text for line in told[0].lines] == ["2.0", "1.0", "2.0", "2.0"]
