"""The suite of rules: a right Work keeps them all, and each fault is found by the one rule that it breaks."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from scripted_work import scripted
from served_works import SMALL, serving

from lightning_grpc.cli.main import main
from lightning_grpc.errors import ConfigurationError, TransportError
from lightning_grpc.standalone.conformance import (
    FAILED,
    PASSED,
    RULES,
    SKIPPED,
    Arguments,
    Offer,
    Patience,
    check,
    check_async,
    read_arguments,
)
from lightning_grpc.standalone.conformance.transcript import Transcript

OFFER = Offer(run_args=Arguments((1,)), fail_args=Arguments((), {"fail": True}), attribute="anything", may_stop=True)
LARGE = {"too-large-message-is-refused", "large-message-is-taken"}  # half a second each
GROUPS = sorted({each.group for each in RULES.values()})
QUICK = [name for name in RULES if name not in LARGE]
FAULTS = {
    "has no name": "describe-has-all-fields",
    "speaks protocol 2": "describe-speaks-this-version",
    "changes its class": "describe-is-stable",
    "hides an attribute": "describe-lists-the-attributes",
    "begins with a bookmark": "snapshot-comes-first",
    "a section too many": "document-has-its-sections",
    "names another epoch": "frames-name-the-epoch",
    "leaves revisions out": "revisions-are-contiguous",
    "tells each something else": "subscribers-agree",
    "sends no bookmarks": "bookmarks-come-when-idle",
    "bookmarks another revision": "bookmarks-are-at-the-revision",
    "tells no digests": "digests-come",
    "tells wrong digests": "digest-proves-the-document",
    "sends no parts": "large-frames-come-in-parts",
    "resumes too late": "stream-resumes-by-revision",
    "resumes with a snapshot": "stream-resumes-at-the-newest-revision",
    "skips what is old": "old-revision-is-never-skipped",
    "waits for the future": "future-revision-gets-a-snapshot",
    "streams any epoch": "foreign-epoch-gets-no-stream",
    "never succeeds": "run-succeeds",
    "counts no successes": "entry-has-all-keys",
    "skips pending": "stages-follow-the-table",
    "runs twice": "run-is-made-once",
    "does not tell what it knows": "already-known-is-told",
    "tells no final status": "final-status-is-told",
    "hides the caller": "caller-is-shown",
    "runs in any order": "runs-are-made-in-order",
    "fails without a message": "failure-is-reported",
    "drops what comes after a failure": "run-after-a-failure-is-made",
    "takes any argument": "unknown-arguments-fail",
    "runs for any epoch": "run-for-another-epoch-is-refused",
    "runs calls without a name": "unnamed-call-is-refused",
    "takes any attribute": "unknown-attribute-is-refused",
    "gives no reasons": "refusals-tell-a-reason",
    "refuses unknown fields": "unknown-fields-are-ignored",
    "dies of unknown kinds": "unknown-kinds-are-handled",
    "fails at garbage": "malformed-messages-get-a-status",
    "answers any method": "unknown-method-is-unimplemented",
    "takes messages of any size": "too-large-message-is-refused",
    "takes no large messages": "large-message-is-taken",
    "takes any depth": "too-deep-value-is-refused",
    "makes floats of numbers": "values-are-exact",
    "is not healthy": "health-is-served",
    "has no reflection": "reflection-lists-the-service",
    "never ends its logs": "logs-are-served",
    "takes updates unasked": "updates-are-answered",
    "cuts its streams off": "stop-ends-in-order",
}
LONG = Patience(answer_s=30.0, bookmark_s=20.0)  # this machine may be busy; what is there comes soon
PATIENCE = {
    "sends no bookmarks": Patience(answer_s=30.0, bookmark_s=0.3),
    "tells no digests": Patience(answer_s=30.0, bookmark_s=20.0, digest_s=0.5),
    "drops what comes after a failure": Patience(run_s=2.5),
    "never ends its logs": Patience(answer_s=2.5),
    "waits for the future": Patience(answer_s=2.5),
}


SLOW_TO_FIND = {"drops what comes after a failure", "never ends its logs", "waits for the future"}


@pytest.fixture
def directory():
    path = tempfile.mkdtemp(prefix="lg-", dir="/tmp")
    yield path
    shutil.rmtree(path, ignore_errors=True)


def checked(directory, wrong="", **options):
    async def run():
        async with asyncio.timeout(50), scripted(directory, wrong) as address:
            return await check_async(address, **{"offer": OFFER, "patience": LONG, **options})

    return asyncio.run(run())


def test_every_rule_has_a_fault_that_breaks_it():
    assert sorted(FAULTS.values()) == sorted(RULES)


def test_a_right_work_keeps_every_rule(directory):
    report = checked(directory)
    assert [(each.rule.name, each.reason) for each in report.findings if each.outcome != PASSED] == []
    assert [each.rule.name for each in report.findings] == list(RULES)
    assert report.ok


def check_that_only_its_rule_finds(directory, wrong, rules):
    expected = FAULTS[wrong]
    report = checked(directory, wrong, rules=rules, patience=PATIENCE.get(wrong, LONG))
    failed = {each.rule.name: each for each in report.findings if each.outcome == FAILED}
    assert list(failed) == [expected], {name: each.reason for name, each in failed.items()}
    assert not report.ok
    assert failed[expected].reason
    assert failed[expected].transcript


@pytest.mark.parametrize("group", GROUPS)
def test_a_fault_is_found_by_the_rule_that_it_breaks_and_by_no_other_of_its_group(directory, group):
    faults = [wrong for wrong, name in FAULTS.items() if RULES[name].group == group and wrong not in SLOW_TO_FIND]

    async def check_one(number, wrong):
        rules = [FAULTS[wrong], *(name for name in QUICK if RULES[name].group == group)]
        async with scripted(directory, wrong, number) as address:
            report = await check_async(address, rules=rules, offer=OFFER, patience=PATIENCE.get(wrong, LONG))
        return report.named(FAILED)

    async def check_all():
        async with asyncio.timeout(50):
            return await asyncio.gather(*(check_one(*each) for each in enumerate(faults)))

    assert dict(zip(faults, asyncio.run(check_all()), strict=True)) == {wrong: [FAULTS[wrong]] for wrong in faults}


@pytest.mark.slow
@pytest.mark.parametrize("wrong", FAULTS)
def test_a_fault_is_found_by_the_rule_that_it_breaks_and_by_no_other_at_all(directory, wrong):
    check_that_only_its_rule_finds(directory, wrong, list(RULES) if FAULTS[wrong] in LARGE else QUICK)


def test_what_a_work_does_not_offer_is_skipped_with_what_to_do(directory):
    report = checked(directory, rules=QUICK, offer=Offer())
    skipped = {each.rule.name: each.reason for each in report.findings if each.outcome == SKIPPED}
    assert sorted(skipped) == [
        "failure-is-reported",
        "large-frames-come-in-parts",
        "run-after-a-failure-is-made",
        "stop-ends-in-order",
        "values-are-exact",
    ]
    assert report.ok
    assert "give some" in skipped["failure-is-reported"]


def test_a_run_that_fails_without_arguments_is_no_fault_until_arguments_are_given(directory):
    report = checked(directory, "never succeeds", rules=["run-succeeds"], offer=Offer())
    assert [each.outcome for each in report.findings] == [SKIPPED]
    assert "give arguments" in report.findings[0].reason


def test_the_report_as_json_has_every_finding(directory):
    found = checked(directory, "tells wrong digests", rules=["digest-proves-the-document", "run-succeeds"]).as_json()
    assert json.loads(json.dumps(found)) == found
    assert found["schema_version"] == 1
    assert found["ok"] is False
    assert found["counts"] == {"passed": 1, "failed": 1, "skipped": 0}
    assert found["work"]["name"] == "scripted"
    assert [(each["name"], each["outcome"]) for each in found["rules"]] == [
        ("digest-proves-the-document", "failed"),
        ("run-succeeds", "passed"),
    ]
    assert found["rules"][0]["reference"] == "docs/protocol.md#digest"
    assert any("Bookmark" in line or "bookmark" in line for line in found["rules"][0]["transcript"])
    assert found["rules"][1]["transcript"] == []


def test_a_transcript_is_bounded():
    transcript = Transcript()
    for number in range(1000):
        transcript.note(f"line {number} " + "x" * 10_000)
    assert len(transcript.lines) < 70
    assert all(len(line) < 500 for line in transcript.lines)
    assert "line 0 " in transcript.lines[0]
    assert "line 999 " in transcript.lines[-1]
    assert any("940 lines left out" in line for line in transcript.lines)


def test_an_address_where_nobody_answers_is_no_broken_rule(directory):
    with pytest.raises(TransportError, match="nobody listens"):
        check(f"unix:{directory}/nothing.sock", patience=Patience(answer_s=5))


def test_a_rule_that_is_not_there_is_told_with_those_that_are():
    with pytest.raises(ConfigurationError, match=r"no rule 'nonsense'.*run-succeeds"):
        check("127.0.0.1:1", rules=["nonsense"])


def test_every_rule_has_a_name_in_hyphens_and_refers_to_the_protocol():
    text = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}
    for rule in RULES.values():
        assert re.fullmatch(r"[a-z]+(-[a-z]+)+", rule.name)
        assert rule.sentence.endswith(".")
        file, _, anchor = rule.reference.partition("#")
        assert file == "docs/protocol.md"
        assert anchor in anchors


def test_every_rule_stands_in_the_document_with_what_it_says():
    text = (Path(__file__).parents[2] / "docs" / "conformance.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `([a-z-]+)` \| (.+?) \| \[[^]]+\]\((.+?)\) \|$", text, re.MULTILINE)
    assert listed == [(each.name, each.sentence, Path(each.reference).name) for each in RULES.values()]


@pytest.mark.parametrize(
    ("text", "args", "kwargs"), [("[]", (), {}), ('[1, ["a"]]', (1, ["a"]), {}), ('{"n": 2.5}', (), {"n": 2.5})]
)
def test_arguments_are_read_from_json(text, args, kwargs):
    given = read_arguments(text)
    assert (given.args, given.kwargs) == (args, kwargs)


@pytest.mark.parametrize("text", ["", "3", '"text"', "{1}", "[" * 50 + "]" * 50])
def test_what_are_no_arguments_is_told(text):
    with pytest.raises(ConfigurationError):
        read_arguments(text)


def check_by_command(served, *options):
    command = [sys.executable, "-m", "lightning_grpc", "check", "work", served.address, "--json", "--stop"]
    offer = ["--run-args", "[1]", "--fail-args", '{"fail": true}', "--attribute", "kept"]
    done = subprocess.run([*command, *offer, *options], capture_output=True, text=True, timeout=55, check=False)
    report = json.loads(done.stdout)
    assert [(each["name"], each["reason"]) for each in report["rules"] if each["outcome"] != "passed"] == []
    assert (done.returncode, report["ok"]) == (0, True)
    return report


def test_a_work_that_the_command_serves_keeps_the_rules():
    rules = [name for name in QUICK if RULES[name].group not in ("stream", "resuming")]  # those wait for bookmarks
    with serving(f"{SMALL}:Keeper") as served:
        report = check_by_command(served, *(word for name in rules for word in ("--rule", name)))
        assert report["counts"]["passed"] == len(rules)
        assert report["work"]["implementation"].startswith("lightning_grpc ")
        assert served.wait() == 0


@pytest.mark.slow
def test_a_work_that_the_command_serves_keeps_every_rule():
    with serving(f"{SMALL}:Keeper") as served:
        assert check_by_command(served)["counts"]["passed"] == len(RULES)


def test_the_command_prints_a_table_and_what_was_said_when_a_rule_is_broken():
    with serving(f"{SMALL}:Counter") as served:
        command = [sys.executable, "-m", "lightning_grpc", "check", "work", served.address]
        rules = ["--rule", "run-succeeds", "--rule", "describe-is-stable", "--run-args", '["no number"]']
        done = subprocess.run(
            [*command, *rules],
            capture_output=True,
            text=True,
            timeout=55,
            check=False,
            env={**os.environ, "COLUMNS": "100"},
        )
    assert done.returncode == 1
    assert re.search(r"✓ +describe-is-stable +passed", done.stdout)
    assert re.search(r"✗ +run-succeeds +failed", done.stdout)
    assert "docs/protocol.md#the-entry-of-a-call" in done.stdout
    assert "> Run RunRequest {" in done.stdout
    assert "1 passed, 1 failed, 0 skipped" in done.stdout


def test_the_command_lists_the_rules():
    runner = CliRunner()
    listed = runner.invoke(main, ["check", "work", "--list", "--json"])
    assert [each["name"] for each in json.loads(listed.stdout)] == list(RULES)
    shown = runner.invoke(main, ["check", "work", "--list"])
    assert shown.exit_code == 0
    assert all(name in shown.stdout for name in RULES)


@pytest.mark.parametrize(
    "arguments", [[], ["nonsense"], ["127.0.0.1:1", "--rule", "nonsense"], ["127.0.0.1:1", "--run-args", "3"]]
)
def test_a_wrong_command_line_is_told(arguments):
    command = [sys.executable, "-m", "lightning_grpc", "check", "work", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=55, check=False)
    assert (done.returncode, done.stdout) == (2, "")


def test_a_server_of_several_works_asks_which_and_each_is_checked_by_its_name():
    with serving(None, "--work", f"{SMALL}:Keeper", "--work", f"{SMALL}:Counter") as served:
        command = [sys.executable, "-m", "lightning_grpc", "check", "work", "--rule", "run-succeeds"]
        for name in ("Keeper", "Counter"):
            address = f"{served.address}#{name}"
            done = subprocess.run([*command, address], capture_output=True, text=True, timeout=55, check=False)
            assert done.returncode == 0
            assert f"{name} ({name}, protocol 1." in done.stdout
        with pytest.raises(ConfigurationError, match=r"Keeper, Counter.*#NAME"):
            check(served.address)
