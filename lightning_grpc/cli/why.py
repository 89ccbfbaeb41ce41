"""``lightning-grpc why``: what the root Flow was run for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import rich_click as click

from lightning_grpc.cli.amounts import milliseconds
from lightning_grpc.cli.connection import app_option, connect, find_app, json_option, telling_errors
from lightning_grpc.cli.help import Command
from lightning_grpc.cli.output import print_json, print_table, say, schema
from lightning_grpc.cli.progress import waiting_for
from lightning_grpc.dashboard.cells import clean

if TYPE_CHECKING:
    from lightning_grpc.coordinator.metrics import FlowRun
    from lightning_grpc.service.descriptions import AppMetrics

_KEPT = 256  # runs that an app remembers


@click.command(
    cls=Command,
    examples=[
        ("why", "the newest runs of the Flow, and what caused each"),
        ("why -n 3", "the last three"),
        ("why --json", "for programs"),
    ],
)
@click.option(
    "-n", "runs", type=click.IntRange(1, _KEPT), default=20, show_default=True, help="How many runs to tell of."
)
@json_option
@app_option
def why(runs: int, as_json: bool, app: str | None) -> None:
    """Tell of the last runs of the app's root Flow, and what caused each.

    Causes are: `start`; `state` and `call`, of a Work that has written or whose call moved on; `flow`, when Flows have
    written; `tree`, when components came or went; `schedule`; `conflict`; `request`, from outside; and `idle`. It is
    answered even while the Flow is busy.
    """
    with telling_errors():
        target = find_app(app)
        with connect(target) as client, waiting_for(f"{target.name} to answer"):
            metrics = client.metrics(runs=runs)
    if as_json:
        print_json(_as_json(target.name, metrics), indented=True)
    else:
        if metrics.latest_runs:
            print_table(_table(metrics.latest_runs))
        if metrics.under_way_s is not None:
            say(f"A run is under way, for {milliseconds(metrics.under_way_s)} so far.")
        elif not metrics.latest_runs:
            say(f"The root of {target.name} has not been run yet.")


def _as_json(app: str, metrics: AppMetrics) -> dict[str, Any]:
    return schema(
        "why",
        app=app,
        revision=metrics.revision,
        total_runs=metrics.runs,
        under_way_s=metrics.under_way_s,
        runs=[
            {
                "number": run.number,
                "began_s": run.began_s,
                "took_s": run.took_s,
                "deltas": run.deltas,
                "suspended": run.suspended,
                "causes": [
                    {"kind": cause.kind, "component": cause.component, "paths": cause.paths} for cause in run.causes
                ],
            }
            for run in metrics.latest_runs
        ],
    )


def _table(runs: tuple[FlowRun, ...]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for heading in ("run", "at", "took", "deltas", "because of"):
        table.add_column(heading, justify="left" if heading in ("at", "because of") else "right", overflow="fold")
    for run in runs:
        causes = clean("; ".join(map(str, run.causes))) or "-"
        table.add_row(
            str(run.number),
            f"{time.strftime('%H:%M:%S', time.localtime(run.began_s))}.{int(run.began_s % 1 * 1000):03}",
            milliseconds(run.took_s),
            str(run.deltas),
            Text(f"{causes} (suspended by a blocking call)" if run.suspended else causes),
        )
    return table
