"""A recording: what was seen comes out of the file as it went in."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from scenes import COMMANDS, NOW_S, Scene, document, metrics
from strategies import values

from lightning_grpc.dashboard.events import (
    CommandsListed,
    ConnectionLost,
    ConnectionMade,
    Described,
    Ended,
    LinesPrinted,
    MetricsSeen,
    StateChanged,
    StateReplaced,
)
from lightning_grpc.dashboard.recording import Recorder, decode_value, encode_value, replay
from lightning_grpc.errors import ConfigurationError
from lightning_grpc.service.descriptions import AppDescription
from lightning_grpc.state.delta import Delete, Set, Splice
from lightning_grpc.state.replica import Replica
from lightning_grpc.state.subscription import Delta, Snapshot
from lightning_grpc.state.values import same
from lightning_grpc.wire.logs import LogLine


def events():
    """One of each event, and a state that moves on."""
    replica = Replica()
    replica.subscription.opened()
    first = replica.receive(Snapshot(1, 7, document(odd=(1, math.inf, {2: "b", "$x": 1}), big=1 << 20_000)))
    changes = [
        [Set(("vars", "n"), 2), Splice(("vars", "table", "a"), 0, 1, [9, (8,)])],
        [Delete(("vars", "table", 7))],
        [Set(("vars", "odd"), -0.0)],
    ]
    versions = [replica.receive(Delta(1, 8 + at, each)) for at, each in enumerate(changes)]
    return [
        Described(NOW_S, AppDescription("app.py", 3, 7, "running", 9, NOW_S, 1), "unix:/x", "root.w"),
        ConnectionMade(NOW_S),
        StateReplaced(NOW_S, 7, first.document),
        *(StateChanged(NOW_S + 1, each.first, each.revision, tuple(each.changes), each.document) for each in versions),
        MetricsSeen(NOW_S + 2, metrics(under_way_s=1.5)),
        MetricsSeen(NOW_S + 2, metrics(usage=None)),
        LinesPrinted(NOW_S + 3, (LogLine("root", "stderr", NOW_S, "é\x1b\n"),)),
        CommandsListed(NOW_S + 3, COMMANDS),
        ConnectionLost(NOW_S + 4, "away"),
        Ended(NOW_S + 5, "over"),
    ]


def record(file, told):
    recorder = Recorder(str(file))
    for event in told:
        recorder.write(event)
    recorder.close()
    return recorder


def test_what_was_recorded_is_told_again_exactly(tmp_path):
    told = events()
    record(tmp_path / "r.jsonl", told)
    again = list(replay(str(tmp_path / "r.jsonl")))
    assert again == told
    for before, after in zip(told, again, strict=True):
        if isinstance(before, StateReplaced | StateChanged):
            assert same(before.document, after.document)


def test_a_replay_makes_the_same_screen(tmp_path):
    scene = Scene()
    told = [event for event in events() if not isinstance(event, Ended | ConnectionLost)]
    record(tmp_path / "r.jsonl", told)
    screens = [Scene().tell(*source).text for source in (told, replay(str(tmp_path / "r.jsonl")))]
    assert screens[0] == screens[1]
    assert scene.text != screens[0]


@given(values())
def test_any_value_comes_out_as_it_went_in(value):
    text = json.dumps(encode_value(value), allow_nan=False)
    assert same(decode_value(json.loads(text)), value)


def test_a_recording_is_private_and_never_overwrites(tmp_path):
    file = tmp_path / "r.jsonl"
    record(file, [])
    assert file.stat().st_mode & 0o077 == 0
    with pytest.raises(ConfigurationError, match="name a file that does not exist"):
        Recorder(str(file))


def test_a_recording_that_was_cut_off_is_good_up_to_there(tmp_path):
    file = tmp_path / "r.jsonl"
    record(file, events())
    whole = file.read_bytes()
    file.write_bytes(whole[:-20])
    assert list(replay(str(file))) == events()[:-1]


def test_a_recording_grows_only_so_large(tmp_path):
    recorder = Recorder(str(tmp_path / "r.jsonl"), max_bytes=3000)
    for _ in range(100):
        recorder.write(events()[6])
    assert "as large as it may" in recorder.problem
    assert (tmp_path / "r.jsonl").stat().st_size <= 3000
    recorder.close()
    assert len(list(replay(str(tmp_path / "r.jsonl")))) >= 1


@pytest.mark.parametrize("text", ["", "{}", "no json", '{"schema":"other/1"}\n', "\xff"])
def test_what_is_no_recording_is_refused(tmp_path, text):
    file = tmp_path / "r.jsonl"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigurationError):
        list(replay(str(file)))


@pytest.mark.parametrize(
    "line",
    [
        '{"at_s":1}',
        '{"at_s":1,"event":"Unknown"}',
        '{"at_s":1,"event":"StateChanged","first":5,"revision":5,"changes":[]}',
        "[1]",
        '{"at_s":1,"event":"StateReplaced","revision":0,"document":{}}',
    ],
)
def test_a_line_without_a_meaning_is_told_with_its_number(tmp_path, line):
    file = tmp_path / "r.jsonl"
    record(file, [])
    with file.open("a") as out:
        out.write(line + "\n")
    with pytest.raises(ConfigurationError, match="line 2"):
        list(replay(str(file)))


def test_a_file_that_is_not_there_is_told():
    with pytest.raises(ConfigurationError, match="cannot be read"):
        list(replay("/nowhere/r.jsonl"))
