"""The pure parts of the census: files, parsing, tallies, and the view."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest
from parsing import BUCKETS, Findings, Function, UnparsableError, bucket_of, count_lines, parse
from rich.console import Console
from screen import Screen, open_screen
from sources import Source, find_sources, split
from tally import KEPT, add, add_unparsable, merge, new_tally
from view import WIDE, Bar, Picture, ReaderProgress, Tail, progress, report, status_line

SOURCE = b"""\
class Reader:
    @property
    def name(self):
        async def inner():
            pass

        return "Reader"


def read():
    if True:
        class Local:
            def method(self): ...
"""


# Parsing.


def test_functions_are_named_by_what_is_around_them():
    found = parse(SOURCE)
    assert sorted(found.functions) == [
        Function("Reader.name", 3, 5),
        Function("Reader.name.inner", 4, 2),
        Function("read", 10, 4),
        Function("read.Local.method", 13, 1),
    ]
    assert (found.lines, found.classes) == (13, 2)


def test_every_node_of_the_syntax_tree_counts():
    assert parse(b"").nodes == 1
    assert parse(b"x = 1\n").nodes == 5  # module, assignment, name and its context, constant


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (b"def f(:\n", "line 1: invalid syntax"),
        (b"x = 1\ny = (\n", "line 2: '(' was never closed"),
        (b"# coding: latin-9000\n", "unknown encoding"),
        (b"x = '\xff'\n", "unicode error"),
        (b"x = 1\0", "null byte"),
        (b"-" * 100_000 + b"1", ""),
    ],
)
def test_source_that_is_no_python_is_an_error_of_one_line(source, reason):
    with pytest.raises(UnparsableError) as raised:
        parse(source)
    assert reason in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


def test_source_is_read_in_the_encoding_it_declares():
    assert parse(b"# coding: latin-1\nx = '\xe9'\n").lines == 2


def test_warnings_about_the_source_are_not_ours():
    assert parse(rb"x = '\d'" + b"\nassert (1, 'always true')\n").lines == 2


@pytest.mark.parametrize(("source", "lines"), [(b"", 0), (b"a", 1), (b"a\n", 1), (b"a\nb", 2), (b"a\r\nb\r\n", 2)])
def test_a_last_line_without_a_break_counts(source, lines):
    assert count_lines(source) == lines


@pytest.mark.parametrize(
    ("lines", "bucket"), [(1, "1-5"), (5, "1-5"), (6, "6-10"), (200, "101-200"), (201, "over 200"), (9999, "over 200")]
)
def test_a_bucket_holds_its_last_number(lines, bucket):
    assert bucket_of(lines) == bucket


# Files.


def test_python_files_are_found_at_any_depth_without_installed_packages(tmp_path):
    for path in ("b.py", "a/c.py", "a/note.txt", "site-packages/d.py", "a/__pycache__/e.py", "odd.py/f.py"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("x = 1\n")
    (tmp_path / "broken.py").symlink_to(tmp_path / "nothing.py")
    assert find_sources(tmp_path) == [Source("a/c.py", 6), Source("b.py", 6), Source("odd.py/f.py", 6)]


def test_a_limit_picks_files_evenly(tmp_path):
    for number in range(10):
        (tmp_path / f"{number}.py").touch()
    assert [source.path for source in find_sources(tmp_path, 3)] == ["0.py", "3.py", "6.py"]
    assert len(find_sources(tmp_path, 10)) == len(find_sources(tmp_path, 99)) == 10


def test_shares_hold_every_file_once_and_about_the_same_number_of_bytes():
    sources = [Source(f"{number:03}.py", number * 37 % 101) for number in range(200)]
    shares = split(sources, 7)
    assert sorted(source for share in shares for source in share) == sources
    assert all(share == sorted(share) for share in shares)
    sizes = [sum(source.size_bytes for source in share) for share in shares]
    assert max(sizes) - min(sizes) <= 101


def test_no_share_is_empty():
    assert split([Source("a.py", 0), Source("b.py", 0)], 5) == [[Source("a.py", 0)], [Source("b.py", 0)]]
    assert split([], 3) == []


# Tallies.


def function(lines: int) -> Function:
    return Function(f"f{lines}", lines, lines)


def test_a_tally_sums_up_what_was_found():
    tally = new_tally()
    add(tally, "a.py", 100, Findings(lines=40, classes=1, nodes=200, functions=[function(3), function(30)]))
    add(tally, "b.py", 10, Findings(lines=4, classes=0, nodes=20, functions=[function(4)]))
    add_unparsable(tally, "c.py", 1, "line 1: invalid syntax")
    assert tally == {
        "files": 3,
        "bytes": 111,
        "lines": 44,
        "functions": 3,
        "classes": 1,
        "nodes": 220,
        "lengths": {**dict.fromkeys(BUCKETS, 0), "1-5": 2, "21-50": 1},
        "largest": [(30, "f30", "a.py", 30), (4, "f4", "b.py", 4), (3, "f3", "a.py", 3)],
        "unparsable": [("c.py", "line 1: invalid syntax")],
    }


def test_a_tally_remembers_the_largest_functions_only():
    tally = new_tally()
    for lines in range(1, 101):
        add(tally, "a.py", 1, Findings(0, 0, 0, [function(lines)]))
    assert [lines for lines, *_ in tally["largest"]] == list(range(100, 100 - KEPT, -1))


def test_merging_the_tallies_of_shares_equals_the_tally_of_all():
    files = [
        (
            f"{n}.py",
            n,
            Findings(lines=n, classes=n % 3, nodes=n * 9, functions=[function(n), function(n * 7 % 300 + 1)]),
        )
        for n in range(1, 61)
    ]
    whole, shares = new_tally(), [new_tally() for _ in range(4)]
    for index, file in enumerate(files):
        add(whole, *file)
        add(shares[index % 4], *file)
    add_unparsable(whole, "x.py", 5, "why")
    add_unparsable(shares[2], "x.py", 5, "why")
    assert merge(shares) == whole
    assert merge([]) == new_tally()
    assert merge([whole]) is not whole


# The view.


def picture(works: int = 2, done: float = 0.5) -> Picture:
    readers = tuple(
        ReaderProgress(f"Work {n}", f"package/module_{n}.py", round(50 * done), 50, round(1000 * done), 1000)
        for n in range(works)
    )
    tally = new_tally()
    for lines in range(1, 301):
        name = "Class." + "very_" * 20 + f"long_name_{lines}"
        findings = Findings(lines=lines, classes=1, nodes=9, functions=[Function(name, 1, lines)])
        add(tally, f"package/module_{lines}.py", 1000, findings)
    add_unparsable(tally, "package/bad.py", 10, "line 3: invalid syntax")
    return Picture("Census of something", 1.25, readers, tally)


def render(renderable: object, width: int, height: int = 25, encoding: str = "utf-8") -> list[str]:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(file=file, width=width, height=height, force_terminal=False, no_color=True, highlight=False)
    console.print(renderable)
    file.flush()
    return file.buffer.getvalue().decode(encoding).splitlines()


@pytest.mark.parametrize("works", [1, 2, 8, 64])
@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (110, 24), (80, 50), (200, 60), (60, 20)])
def test_the_view_fits_the_terminal(works, width, height):
    lines = render(progress(picture(works), width, height), width, height)
    assert len(lines) <= height
    assert max(map(len, lines)) <= width


def test_the_view_has_a_bar_for_every_work_and_one_for_all():
    lines = render(progress(picture(2), 80, 24), 80)
    rows = {line.split("  ")[0][:6]: line for line in lines}
    assert " 50%" in rows["Work 0"]
    assert "25/50" in rows["Work 1"]
    assert rows["Work 1"].rstrip().endswith("package/module_1.py")
    total = next(line for line in lines if line.startswith("all"))
    assert "50/100" in total
    assert total.rstrip().endswith("1.2 s")


def test_works_without_room_are_counted():
    text = "\n".join(render(progress(picture(64), 80, 24), 80))
    shown = text.count("\nWork ")
    assert 0 < shown < 64
    assert f"{64 - shown} Works more" in text


def test_a_work_that_is_through_is_done_and_one_that_has_not_begun_is_starting():
    assert any(line.rstrip().endswith("done") for line in render(progress(picture(1, done=1.0), 80, 24), 80))
    waiting = ReaderProgress("Work 0", "", 0, 5, 0, 100)
    lines = render(progress(Picture("Census", 0.0, (waiting,), new_tally()), 80, 24), 80)
    assert any(line.rstrip().endswith("starting") for line in lines)


@pytest.mark.parametrize("width", [80, WIDE, 160])
def test_the_report_shows_the_largest_functions_and_a_bar_for_every_length(width):
    text = "\n".join(render(report(picture(), width), width))
    assert "301 files, 300.0 kB, 45,150 lines: 300 functions, 300 classes, 2,700 syntax nodes." in " ".join(
        text.split()
    )
    assert "1 is no valid Python, such as package/bad.py (line 3: invalid syntax)." in " ".join(text.split())
    for lines in range(300, 290, -1):
        assert f"long_name_{lines}  " in text
        assert f"package/module_{lines}.py:1" in text
    assert "long_name_290" not in text
    for bucket in BUCKETS:
        assert f"{bucket} █" in text


def test_the_report_stays_in_a_small_terminal_as_a_whole():
    assert len(render(report(picture(), 80, 24), 80, 24)) <= 22  # the prompt needs a line, and so does the command


def test_bars_are_of_ascii_where_nothing_else_can_be_encoded():
    lines = render(report(picture(), 80), 80, encoding="ascii")
    assert any(line.startswith("over 200 ####") for line in lines)
    assert any("..." in line for line in lines)


@pytest.mark.parametrize(
    ("share", "bar"), [(0.0, "        "), (1e-9, "▏       "), (0.5, "████    "), (0.55, "████▍   "), (1.0, "████████")]
)
def test_a_bar_is_drawn_to_an_eighth_of_a_character(share, bar):
    assert render(Bar(share, "red"), 8) == [bar]


def test_a_path_without_room_loses_its_beginning():
    assert render(Tail("package/module.py:17"), 12) == ["…odule.py:17"]
    assert render(Tail("module.py"), 12) == ["module.py"]


def test_the_status_line_says_how_far_all_works_are():
    assert status_line(picture()) == " 50% 50 of 100 files, 45,150 lines, 300 functions"


# The screen.


def test_the_screen_is_due_ten_times_a_second_however_often_it_is_asked():
    clock = SimpleNamespace(now_s=0.0)
    screen = Screen(Console(file=io.StringIO()), lambda: clock.now_s)
    shown = 0
    for millisecond in range(1001):
        clock.now_s = millisecond / 1000
        if screen.is_due():
            screen.show(picture())
            shown += 1
    assert 10 <= shown <= 11


def test_without_a_terminal_there_is_a_line_for_every_tenth_and_no_control_code():
    out = io.StringIO()
    screen = Screen(Console(file=out, width=80, force_terminal=False))
    for percent in range(101):
        screen.show(picture(done=percent / 100))
    assert len(out.getvalue().splitlines()) == 10
    screen.finish(picture(done=1.0))
    assert "Census of something" in out.getvalue()
    assert all(character.isprintable() or character == "\n" for character in out.getvalue())


def test_what_is_no_terminal_gets_plain_lines(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr("sys.stdout", io.StringIO())
    screen = open_screen()
    assert type(screen) is Screen
    screen.finish(picture())
    assert "\x1b" not in screen.console.file.getvalue()
