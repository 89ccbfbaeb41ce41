"""``lightning-grpc check work``: whether a server keeps the rules of a Work, in any language."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from lightning_grpc.cli.credentials_options import client_credentials, client_credentials_options
from lightning_grpc.cli.help import Command, Group
from lightning_grpc.cli.output import print_json, print_table, schema
from lightning_grpc.errors import ConfigurationError, LightningGrpcError

if TYPE_CHECKING:
    from rich.console import Console

    from lightning_grpc.standalone.conformance import Finding, Report

FAILED = 1
_GLYPHS = {"passed": "✓", "failed": "✗", "skipped": "-"}
_STYLES = {"passed": "green", "failed": "bold red", "skipped": "yellow"}


@click.group(
    cls=Group,
    examples=[
        ("check work 127.0.0.1:50051", "whether the Work there keeps the rules"),
        ("check work --list", "the rules"),
    ],
)
def check() -> None:
    """Check something of yours."""


@check.command(
    cls=Command,
    epilog="Exit codes: 0 no rule is broken; 1 one is, or nobody answers; 2 the command line is wrong.",
    examples=[
        ("check work 127.0.0.1:50051", "all rules"),
        ("check work host:50051#trainer --tls-ca ca.crt --token-file token", "over the network, one of several Works"),
        ("check work unix:/run/w.sock --run-args '[3]' --json", "with arguments for its run, for programs"),
        ("check work --list", "the rules"),
    ],
)
@click.argument("address", required=False)
@client_credentials_options
@click.option(
    "--run-args", metavar="JSON", help="Arguments with which run succeeds: a list, or an object of named ones."
)
@click.option("--fail-args", metavar="JSON", help="Arguments with which run fails.")
@click.option(
    "--attribute", default="", metavar="NAME", help="An attribute that may hold any value, and that run leaves alone."
)
@click.option("--stop", "may_stop", is_flag=True, help="End the Work too, at last.")
@click.option("--rule", "rules", multiple=True, metavar="NAME", help="Check this rule only; repeatable.")
@click.option("--timeout", "run_s", type=click.FloatRange(0.1), default=30.0, help="What a run may take, in seconds.")
@click.option("--list", "only_list", is_flag=True, help="List the rules, and check nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def work(
    address: str | None,
    run_args: str | None,
    fail_args: str | None,
    attribute: str,
    may_stop: bool,
    rules: tuple[str, ...],
    run_s: float,
    only_list: bool,
    as_json: bool,
    **credentials: Any,
) -> None:
    """Check whether the Work at ADDRESS keeps the rules of the protocol, whatever it is written in.

    ADDRESS is HOST:PORT, unix:PATH, or a target that gRPC resolves; after it #NAME, if several Works are served there.
    The check makes the Work run a few times: without arguments, unless `--run-args` says which.
    """
    if only_list:
        raise SystemExit(_list(as_json=as_json))
    if address is None:
        raise click.UsageError("Missing argument 'ADDRESS'.")
    from lightning_grpc.standalone.conformance import Offer, read_arguments

    try:
        offer = Offer(
            run_args=read_arguments(run_args) if run_args is not None else None,
            fail_args=read_arguments(fail_args) if fail_args is not None else None,
            attribute=attribute,
            may_stop=may_stop,
        )
        given = client_credentials(**credentials)
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from None
    raise SystemExit(_check(address, rules, offer, run_s, given, as_json=as_json))


def _check(address: str, rules: tuple[str, ...], offer: Any, run_s: float, given: Any, *, as_json: bool) -> int:
    from rich.console import Console

    from lightning_grpc.standalone.conformance import Patience
    from lightning_grpc.standalone.conformance import check as check_rules

    words = Console(stderr=True)
    try:
        with words.status("checking ...") as status:
            report = check_rules(
                address,
                rules=rules,
                offer=offer,
                patience=Patience(run_s=run_s),
                token=given.token,
                tls=given.tls,
                progress=lambda finding: status.update(f"checked {finding.rule.name}"),
            )
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from None
    except LightningGrpcError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return 130
    if as_json:
        print_json(schema("check", **report.as_json()), indented=True)
    else:
        _print_report(Console(), report)
    return 0 if report.ok else FAILED


def _print_report(console: Console, report: Report) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=False)
    for column in ("glyph", "rule", "outcome", "reason"):
        table.add_column(overflow="fold", no_wrap=column != "reason")
    for each in report.findings:
        style = _STYLES[each.outcome]
        table.add_row(_GLYPHS[each.outcome], each.rule.name, each.outcome, _text(each.reason), style=style)
    console.print(table, markup=False, highlight=False)
    for each in report.findings:
        if each.outcome == "failed":
            _print_failure(console, each)
    work = report.work
    counts = report.as_json()["counts"]
    console.print(
        f"\n{work['name'] or report.address} ({work['class']}, protocol {work['protocol_version']}"
        f"{', ' + work['implementation'] if work['implementation'] else ''}): "
        f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped",
        markup=False,
        highlight=False,
    )


def _print_failure(console: Console, finding: Finding) -> None:
    rule = finding.rule
    console.print(f"\n✗ {rule.name}: {rule.sentence}", style=_STYLES["failed"], markup=False, highlight=False)
    console.print(f"  {rule.reference}\n  {finding.reason}", markup=False, highlight=False)
    for line in finding.transcript:
        console.print(f"  {line}", style="dim", markup=False, highlight=False)


def _list(*, as_json: bool) -> int:
    from rich.table import Table

    from lightning_grpc.standalone.conformance import RULES
    from lightning_grpc.standalone.conformance.report import rule_as_json

    if as_json:
        print_json([schema("rule", **rule_as_json(each)) for each in RULES.values()], indented=True)
        return 0
    table = Table(box=None, pad_edge=False)
    table.add_column("rule", no_wrap=True)
    table.add_column("what it says", overflow="fold")
    table.add_column("where", overflow="fold")
    for each in RULES.values():
        table.add_row(each.name, each.sentence, Path(each.reference).name)
    print_table(table)
    return 0


def _text(text: str) -> str:
    return text if len(text) <= 300 else f"{text[:297]}..."
