"""From what is known to what is shown: values in, rich renderables out; no terminal, no clock."""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.filesize import decimal
from rich.measure import Measurement
from rich.progress_bar import ProgressBar
from rich.segment import Segment
from rich.style import Style
from rich.table import Table
from rich.text import Text

from tally import Tally

WIDE = 110
"""From this many columns on, the chart and the functions stand side by side."""
_TALL = 28  # from this many rows on, the report says all it can
_COLORS = ("#4fb477", "#7bb661", "#a8b545", "#d1ae35", "#e8963a", "#ea7347", "#e2504f")  # short is good
_DIM = "bright_black"


@dataclass(frozen=True)
class ReaderProgress:
    """How far one Work is."""

    name: str
    current: str
    files: int
    total_files: int
    bytes: int
    total_bytes: int


@dataclass(frozen=True)
class Picture:
    """All that there is to show at one moment."""

    title: str
    elapsed_s: float
    readers: tuple[ReaderProgress, ...]
    tally: Tally

    @property
    def total(self) -> ReaderProgress:
        """How far all Works are together."""
        return ReaderProgress(
            name="all",
            current="",
            files=sum(reader.files for reader in self.readers),
            total_files=sum(reader.total_files for reader in self.readers),
            bytes=sum(reader.bytes for reader in self.readers),
            total_bytes=sum(reader.total_bytes for reader in self.readers),
        )


class Tail:
    """One line of text that loses its beginning where the room is too small: paths differ at their ends."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        text, width = self.text, options.max_width
        if cell_len(text) > width:
            dots = "..." if options.ascii_only else "…"
            while text and cell_len(text) > width - len(dots):
                text = text[1:]
            text = (dots + text)[:width]
        yield Text(text, no_wrap=True)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(min(8, options.max_width), min(cell_len(self.text), options.max_width))


class Bar:
    """A horizontal bar, to an eighth of a character; of # where the terminal knows no other.

    Args:
        share: Its length as a share of the room there is, from 0 to 1.
        color: Its color.
    """

    def __init__(self, share: float, color: str) -> None:
        self.share = share
        self.color = color

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = options.max_width
        if options.ascii_only:
            text = "#" * round(self.share * width)
        else:
            full, eighths = divmod(round(self.share * width * 8), 8)
            text = "█" * full + " ▏▎▍▌▋▊▉"[eighths].strip()
        if self.share and not text:
            text = "|" if options.ascii_only else "▏"
        yield Segment(text.ljust(width), Style(color=self.color))


def progress(picture: Picture, width: int, height: int) -> RenderableType:
    """Return the view while the Works read: a bar for each, the totals, the chart and the functions so far.

    Args:
        picture: What there is to show.
        width: Columns of the terminal.
        height: Rows of the terminal; what is returned has no more, unless there are very few.
    """
    total = picture.total
    is_wide = width >= WIDE
    below = 11 if is_wide else 8  # rows of the chart, and of the functions where they stand beside it
    room = height - below - 7  # rows for what can grow; the title, the sums and the gaps take 6, and 1 stays free
    bars = max(1, min(len(picture.readers), room))
    functions = 10 if is_wide else max(0, min(5, room - bars - 2))
    return Group(
        Text(picture.title, style="bold", no_wrap=True, overflow="ellipsis"),
        Text(),
        _bars(picture, bars, width),
        Text(),
        _counters(picture.tally),
        Text(),
        *_findings(picture.tally, functions, is_wide=is_wide, grown=total.bytes / max(1, total.total_bytes)),
        Text(),  # the cursor waits at the beginning of a line, in case somebody else has something to say
    )


def report(picture: Picture, width: int, height: int | None = None) -> RenderableType:
    """Return what stays in the terminal at the end.

    Args:
        picture: What was found.
        width: Columns of the terminal.
        height: Its rows; None if it has no end, such as a file.
    """
    has_room = height is None or height >= _TALL
    return Group(
        Text(picture.title, style="bold"),
        _summary(picture, with_reason=has_room),
        Text(),
        *_findings(picture.tally, 10 if has_room else 7, is_wide=width >= WIDE),
    )


def status_line(picture: Picture) -> str:
    """Return how far it is, for where nothing can be drawn."""
    total = picture.total
    return (
        f"{_percent(total.bytes, total.total_bytes):>4} {total.files:,} of {total.total_files:,} files, "
        f"{picture.tally['lines']:,} lines, {picture.tally['functions']:,} functions"
    )


def chart(tally: Tally, grown: float = 1.0) -> RenderableType:
    """Return a bar for every bucket of function lengths.

    Args:
        tally: What was found.
        grown: The length of the longest bar as a share of the room there is, from 0 to 1.
    """
    most = max(tally["lengths"].values(), default=0) or 1
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(ratio=1)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(justify="right", no_wrap=True, style=_DIM)
    for (bucket, functions), color in zip(tally["lengths"].items(), _COLORS, strict=True):
        share = _percent(functions, tally["functions"] or 1)
        if functions and share == "0%":
            share = "<1%"
        table.add_row(bucket, Bar(grown * functions / most, color), f"{functions:,}", share)
    return Group(Text("Functions by length in lines", style="bold"), table)


def largest(tally: Tally, rows: int) -> RenderableType:
    """Return a table of the largest functions."""
    table = Table(box=None, expand=True, pad_edge=False, padding=(0, 1), header_style=_DIM)
    table.add_column("lines", justify="right", no_wrap=True)
    table.add_column("largest functions", no_wrap=True, ratio=1, style="bold", header_style="bold not dim default")
    table.add_column("file", no_wrap=True, ratio=1)
    for lines, name, path, first_line in tally["largest"][:rows]:
        table.add_row(f"{lines:,}", Tail(name), Tail(f"{path}:{first_line}"))
    return table


def _findings(tally: Tally, functions: int, *, is_wide: bool, grown: float = 1.0) -> list[RenderableType]:
    """Return the chart and the functions, beside or below each other."""
    if not functions:
        return [chart(tally, grown)]
    if not is_wide:
        return [largest(tally, functions), Text(), chart(tally, grown)]
    table = Table.grid(expand=True, padding=(0, 2))
    table.add_column(ratio=3)
    table.add_column(ratio=2)
    table.add_row(largest(tally, functions), chart(tally, grown))
    return [table]


def _bars(picture: Picture, rows: int, width: int) -> RenderableType:
    """Return a bar for every Work, as far as there is room, and one for all together."""
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(no_wrap=True)
    table.add_column(ratio=2)
    table.add_column(justify="right", no_wrap=True, width=len("100%"))
    table.add_column(justify="right", no_wrap=True, width=len(_of_files(picture.total, picture.total.total_files)))
    table.add_column(no_wrap=True, ratio=3 if width >= WIDE else 2, style=_DIM)
    for reader in picture.readers[:rows]:
        now = "done" if reader.bytes == reader.total_bytes else reader.current or "starting"
        table.add_row(*_bar(reader), Tail(now))
    hidden = len(picture.readers) - rows
    more = f", {hidden} Works more" if hidden > 0 else ""
    table.add_row(*_bar(picture.total), f"{picture.elapsed_s:.1f} s{more}", style="bold")
    return table


def _bar(reader: ReaderProgress) -> tuple[RenderableType, ...]:
    return (
        reader.name,
        ProgressBar(total=max(1, reader.total_bytes), completed=reader.bytes, complete_style="#4f9fd9"),
        _percent(reader.bytes, reader.total_bytes),
        _of_files(reader, reader.files),
    )


def _of_files(reader: ReaderProgress, files: int) -> str:
    return f"{files:,}/{reader.total_files:,}"


def _counters(tally: Tally) -> Text:
    text = Text(no_wrap=True, overflow="ellipsis")
    for counter in ("files", "lines", "functions", "classes", "nodes"):
        text.append(f"{tally[counter]:,}", style="bold")
        text.append(f" {counter}  ", style=_DIM)
    return text


def _summary(picture: Picture, *, with_reason: bool) -> Text:
    tally = picture.tally
    works = "1 Work" if len(picture.readers) == 1 else f"{len(picture.readers)} Works"
    text = Text(
        f"{tally['files']:,} files, {decimal(tally['bytes'])}, {tally['lines']:,} lines: {tally['functions']:,} "
        f"functions, {tally['classes']:,} classes, {tally['nodes']:,} syntax nodes. Read by {works} in "
        f"{picture.elapsed_s:.1f} s."
    )
    text.highlight_regex(r"\d[\d,.]*\d|\d", "bold")
    if tally["unparsable"]:
        path, reason = tally["unparsable"][0]
        are = "1 is" if len(tally["unparsable"]) == 1 else f"{len(tally['unparsable'])} are"
        text.append(f" {are} no valid Python, such as {path}{f' ({reason})' if with_reason else ''}.")
    return text


def _percent(part: int, whole: int) -> str:
    return f"{part * 100 // whole if whole else 100}%"
