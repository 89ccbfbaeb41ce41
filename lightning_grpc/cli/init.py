"""``lightning-grpc init``: makes a new app that runs, with a test of it."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from string import Template

import rich_click as click

from lightning_grpc.cli.connection import json_option
from lightning_grpc.cli.help import Command
from lightning_grpc.cli.output import MISUSED, PROGRAM, fail, print_json, say, schema

_TEMPLATES = Path(__file__).with_name("templates")
_ENDING = ".template"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")


@click.command(
    cls=Command,
    examples=[("init hello", "a folder with an app and its test"), ("run app hello/app.py", "run what was made")],
)
@click.argument("name")
@json_option
def init(name: str, as_json: bool) -> None:
    """Make a new app in a folder NAME: an app that runs, and a test that passes.

    NAME begins with a letter, and has letters, digits, `-` and `_`. Nothing that is there is overwritten.
    """
    if not _NAME.fullmatch(name):
        raise fail(
            f"{name!r} is no name for an app: begin with a letter, and use letters, digits, '-' and '_', 64 at most",
            MISUSED,
        )
    folder = Path(name)
    try:
        files = make_app(folder)
    except FileExistsError:
        raise fail(f"{folder} is there already, and is left as it is: give another name, or move it away") from None
    except OSError as error:
        raise fail(f"{folder} cannot be made: {error.strerror}; change to a folder that you may write to") from None
    if as_json:
        print_json(schema("init", name=name, folder=str(folder.absolute()), files=files))
        return
    print(*(f"{folder}/{file}" for file in files), sep="\n")
    say(f"Made {folder}. Next: cd {folder} && {PROGRAM} run app app.py, and pytest for its test")


def make_app(folder: Path) -> list[str]:
    """Make a folder with a new app, called as the folder is; as a whole, or not at all.

    Returns:
        The names of its files.

    Raises:
        FileExistsError: Something is there.
        OSError: It cannot be made.
    """
    folder.mkdir()
    files = []
    try:
        for template in sorted(_TEMPLATES.glob(f"*{_ENDING}")):
            name = template.name.removesuffix(_ENDING)
            text = Template(template.read_text(encoding="utf-8")).substitute(name=folder.name)
            with open(os.path.join(folder, name), "x", encoding="utf-8") as file:
                file.write(text)
            files.append(name)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return files
