"""Colours and glyphs. Nothing is told by colour alone: a glyph and a word always stand beside it."""

from __future__ import annotations

from rich.style import Style

STYLES = {
    "": Style(),
    "dim": Style(dim=True),
    "bold": Style(bold=True),
    "name": Style(color="cyan", bold=True),
    "title": Style(bold=True),
    "border": Style(color="bright_black"),
    "border-focus": Style(color="cyan"),
    "tab": Style(color="bright_black"),
    "tab-on": Style(reverse=True, bold=True),
    "key": Style(color="cyan", bold=True),
    "good": Style(color="green"),
    "busy": Style(color="blue", bold=True),
    "wait": Style(color="yellow"),
    "bad": Style(color="red", bold=True),
    "off": Style(color="bright_black"),
    "number": Style(color="bright_cyan"),
    "text": Style(color="green"),
    "constant": Style(color="magenta"),
    "type": Style(color="bright_black", italic=True),
    "spark": Style(color="cyan"),
    "bar": Style(color="green"),
    "flash": Style(color="black", bgcolor="yellow", bold=True),
    "fade": Style(color="yellow", bold=True),
    "select": Style(reverse=True),
    "alarm": Style(color="white", bgcolor="red", bold=True),
    "notice": Style(color="black", bgcolor="yellow"),
    "code-error": Style(color="red", bold=True),
    "code-place": Style(color="cyan"),
}

STAGES = {
    "not_started": ("○", "off"),
    "pending": ("◔", "wait"),
    "started": ("◇", "good"),
    "running": ("►", "busy"),
    "succeeded": ("✓", "good"),
    "failed": ("✗", "bad"),
    "stopped": ("■", "off"),
    "unreachable": ("?", "bad"),
    "stopping": ("■", "wait"),
    "ready": ("◇", "good"),
    "draining": ("◔", "wait"),
}
"""What is shown of a stage: its glyph, beside its word, and their style."""


def stage_glyph(stage: str) -> tuple[str, str]:
    """Return the glyph and the style of a stage."""
    return STAGES.get(stage, ("·", ""))
