"""The benchmark's pure parts: targets, medians, the table, the plot."""

import math
import xml.etree.ElementTree as ET

import pytest

from bench.case import Case, Row, absolute, median, over_raw
from bench.measure import Results
from bench.plot import svg
from bench.report import cells, format_number, lines_of, markdown

ROWS = (
    Row("push `p50` & <more>", "p50_s", "s", over_raw("p50_s"), 2),
    Row("runs a second", "runs", "1/s", absolute("runs"), 400, "1/s", at_least=True),
)
CASE = Case("example", ROWS, lambda quick: {}, raw_is="nothing")


def results():
    return Results(
        [
            {"ours": {"p50_s": 0.001, "runs": 300.0}, "raw": {"p50_s": 0.001}, "peer": {"p50_s": 0.1}},
            {"ours": {"p50_s": 0.009, "runs": 500.0}, "raw": {"p50_s": 0.003}},
            {"ours": {"p50_s": 0.002, "runs": 200.0}, "raw": {"p50_s": 0.002}},
        ]
    )


def test_ratios_are_formed_within_a_round_and_their_median_counts():
    push, runs = lines_of(CASE, results())
    assert push.value == 1.0
    assert push.values["peer"] == 100.0
    assert push.is_met
    assert runs.value == 300.0
    assert runs.verdict == "MISSED by 1.33 x"


def test_what_was_not_measured_meets_no_target():
    (push, _) = lines_of(CASE, Results([{}]))
    assert not push.is_met
    assert push.verdict == "NOT MEASURED"
    assert math.isnan(median([math.nan]))


@pytest.mark.parametrize(("side", "verdict"), [("ours", "FAILED"), ("raw", "FAILED"), ("peer", "met")])
def test_a_case_that_failed_in_a_later_round_meets_no_target(side, verdict):
    measured = results()
    measured.failures[side] = "not done after 50 s"
    assert lines_of(CASE, measured)[0].verdict == verdict


def test_a_peer_that_lacks_a_number_has_a_dash():
    push, runs = lines_of(CASE, results())
    assert cells(push, ["peer"])[3] == "100 ms (100 x)"
    assert cells(runs, ["peer"])[3] == "-"


def test_a_missed_target_is_bold_in_the_table():
    text = markdown(lines_of(CASE, results()), [CASE], {"example": results()}, {"peer": "version 1"}, {}, "a test")
    assert "1 of 2 targets are met" in text
    assert "**MISSED by 1.33 x**" in text


def test_the_plot_is_well_formed():
    ET.fromstring(svg(lines_of(CASE, results()), ["peer"]))


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (math.nan, "s", "-"),
        (2.5e-7, "s", "250 ns"),
        (0.0123, "s", "12.3 ms"),
        (3.99e6, "1/s", "3,990,000/s"),
        (0.461, "", "0.461"),
    ],
)
def test_numbers_are_written_to_three_digits(value, unit, text):
    assert format_number(value, unit) == text
