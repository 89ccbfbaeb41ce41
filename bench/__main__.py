"""``python -m bench``: install the peers, run the cases, print the table, write RESULTS.md and results.svg."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from bench import machine
from bench.case import Case
from bench.cases import NAMES, load
from bench.measure import Results, measure
from bench.peers import PEERS, NotInstallableError, version
from bench.plot import svg
from bench.report import Line, cells, header, lines_of, markdown

HERE = Path(__file__).parent


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit code: 0 even if targets are missed, which the table says."""
    options = _parse(arguments)
    console = Console() if sys.stdout.isatty() else Console(width=200)
    cases = [load(name) for name in options.names or NAMES]
    if options.list:
        for case in cases:
            for row in case.rows:
                console.print(f"{case.name:12} {row.title}", highlight=False, soft_wrap=True)
        return 0
    surroundings = machine.describe()
    wanted = [] if options.no_peers else [name for name in PEERS if any(name in case.peers for case in cases)]
    peers = _install(wanted, console)
    begin_s = time.monotonic()
    results = _measure(cases, [name for name in peers if (PEERS[name].is_installed)], options.quick, console)
    lines = [line for case in cases for line in lines_of(case, results[case.name])]
    console.print(_table(lines, list(peers)))
    for name, state in peers.items():
        console.print(f"{name}: {state}")
    for name, result in results.items():
        for side, why in result.failures.items():
            console.print(f"[red]{name}, {side}: {why}", highlight=False)
    met = sum(line.is_met for line in lines)
    console.print(f"{met} of {len(lines)} targets met, in {time.monotonic() - begin_s:.0f} s.")
    if options.names:
        console.print("RESULTS.md and results.svg are written by a run of all cases only.")
        return 0
    surroundings["load after"] = machine.load()
    kind = f"`make bench{' QUICK=1' if options.quick else ''}{' PEERS=0' if options.no_peers else ''}`"
    (HERE / "RESULTS.md").write_text(markdown(lines, cases, results, peers, surroundings, kind))
    (HERE / "results.svg").write_text(svg(lines, list(peers)))
    console.print("Written: bench/RESULTS.md, bench/results.svg")
    return 0


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="run these cases only; all by default")
    parser.add_argument("--quick", action="store_true", help="one short round of each case")
    parser.add_argument("--no-peers", action="store_true", help="without lightning-app and Ray")
    parser.add_argument("--list", action="store_true", help="list the cases and end")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in NAMES]
    if unknown:
        parser.error(f"there is no case {unknown[0]!r}; there are {', '.join(NAMES)}")
    return options


def _install(names: list[str], console: Console) -> dict[str, str]:
    """Install peers; returns their version, or why they are skipped."""
    states = {}
    for name in names:
        with console.status(f"installing {name}, if it is not there ..."):
            try:
                PEERS[name].install()
            except NotInstallableError as error:
                states[name] = f"skipped, for it cannot be installed here: {error}"
                console.print(f"[yellow]{name}: {states[name]}", highlight=False)
            else:
                states[name] = f"version {version(PEERS[name])}"
    return states


def _measure(cases: list[Case], peers: list[str], quick: bool, console: Console) -> dict[str, Results]:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    results = {}
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=len(cases))
        for case in cases:

            def report(number: int, side: str, name: str = case.name) -> None:
                progress.update(task, description=f"{name}: round {number}, {side}")

            results[case.name] = measure(case, peers, quick, report)
            for line in lines_of(case, results[case.name]):
                style = "green" if line.is_met else "red"
                text = f"[{style}]{line.verdict:>16}[/] {line.row.title}"
                progress.console.print(text, highlight=False, soft_wrap=True)
            progress.advance(task)
    return results


def _table(lines: list[Line], peers: list[str]) -> Table:
    table = Table(title="Benchmark")
    for title in header(peers):
        table.add_column(title, overflow="fold", justify="left" if title == "case" else "right")
    for line in lines:
        table.add_row(*cells(line, peers), style="" if line.is_met else "red")
    return table


if __name__ == "__main__":
    sys.exit(main())
