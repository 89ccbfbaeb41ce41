"""Tokens are where they belong, and nowhere that somebody else might look."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path

import psutil
import pytest
from neighbor import DEADLINE_S, Neighbor, in_time
from served_apps import Board, Served, app_process, entry_of, until
from served_works import SMALL, serving

from lightning_grpc import AppClient
from lightning_grpc.cli.credentials_options import client_credentials, server_credentials
from lightning_grpc.errors import ConfigurationError, LightningGrpcError
from lightning_grpc.service.finding import find
from lightning_grpc.wire.auth import TokenInterceptor, new_token
from lightning_grpc.wire.client import WorkChannel
from lightning_grpc.wire.credentials import read_token
from lightning_grpc.wire.server import Server


def seen_by_others(process):
    """What other programs can see of a process and all that it has started: arguments, names, environment."""
    text = ""
    for each in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            text += f"{each.cmdline()} {each.name()} {each.environ()}\n"
    return text


@pytest.mark.parametrize(
    "wrong", [None, "a-wrong-token-that-nobody-shall-see"], ids=["none", "wrong"]
)  # pytest puts ids into the environment
def test_a_served_works_token_is_not_in_arguments_environment_output_or_errors(files, wrong):
    token = read_token(files.token)
    errors = []

    async def look():
        with serving(f"{SMALL}:Echo", "--token-file", files.token) as served:

            class Guarded:
                address, tls = served.address, None

            Guarded.token = token
            async with Neighbor(Guarded) as neighbor:
                channel = WorkChannel(served.address, "root.w", wrong)
                try:
                    for attempt in (channel.describe, lambda: channel.stop(1.0, "")):
                        with pytest.raises(ConfigurationError) as refused:
                            await attempt()
                        errors.append(f"{refused.value!r} {refused.value}")
                finally:
                    await channel.close()
                await neighbor.is_served()
                errors.append(seen_by_others(psutil.Process(served.pid)))
                errors.append(json.dumps(neighbor.document))
        errors.append(served.out + served.err)

    in_time(look())
    assert "--token-file" in errors[-3]
    for text in errors:
        assert token not in text
        assert wrong is None or wrong not in text


def test_an_apps_token_is_not_in_arguments_environment_or_output(tmp_path):
    with app_process(tmp_path, arguments="with_work=True") as (process, name):
        entry = until(lambda: entry_of(name), "the app is registered")
        token = entry.read_token()
        with AppClient(name=name) as client:
            app = psutil.Process(process.pid)
            until(lambda: len(app.children(recursive=True)) >= 2, "the fork server and the Work are there")
            text = repr(client) + repr(client.describe()) + repr(client.state) + repr(entry)
            seen = seen_by_others(app)
        process.terminate()
        text += process.communicate(timeout=DEADLINE_S)[0]
    assert token not in seen + text


def test_an_apps_token_is_its_users_alone():
    with Served(Board()) as served:
        directory = Path(served.entry.directory)
        assert directory.stat().st_mode & 0o777 == 0o700
        assert {file.name: file.stat().st_mode & 0o077 for file in directory.iterdir()} == dict.fromkeys(
            (file.name for file in directory.iterdir()), 0
        )
        assert read_token(directory / "token") == served.entry.read_token()


def test_no_object_that_holds_a_token_shows_it_when_it_is_printed(tmp_path):
    token = new_token()
    file = tmp_path / "token"
    file.write_text(token)
    file.chmod(0o600)

    async def make():
        channel = WorkChannel("127.0.0.1:1", "root.w", token)
        server = Server([], [], token)
        holders = [
            channel,
            server,
            TokenInterceptor(token),
            server_credentials(None, None, None, file),
            client_credentials(None, None, None, "", file),
            find("127.0.0.1:1", None, token),
            AppClient("127.0.0.1:1", token=token),
        ]
        try:
            return [f"{each!r} {each}" for each in holders]
        finally:
            await channel.close()
            await server.stop(0)
            await asyncio.to_thread(holders[-1].close)

    printed = in_time(make())
    assert len(printed) == 7
    assert not [text for text in printed if token in text]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o666, 0o620])
def test_a_token_file_that_others_may_touch_is_refused(tmp_path, mode):
    file = tmp_path / "token"
    file.write_text(new_token())
    file.chmod(mode)
    with pytest.raises(ConfigurationError, match="chmod 600") as refused:
        read_token(file)
    assert file.read_text() not in str(refused.value)


@pytest.mark.parametrize("content", ["", "\n", "two words", "a\nb", "tab\there", "nul\0", "ümlaut"])
def test_a_file_without_a_token_is_refused_and_not_shown(tmp_path, content):
    file = tmp_path / "token"
    file.write_text(content, encoding="utf-8")
    file.chmod(0o600)
    with pytest.raises(ConfigurationError) as refused:
        read_token(file)
    assert not content.strip() or content.strip() not in str(refused.value)


def test_a_token_is_not_sent_in_plain_text_to_another_machine():
    token = new_token()

    async def connect():
        with pytest.raises(LightningGrpcError, match="its token could be read on the way") as refused:
            WorkChannel("trainer.example.org:50051", "root.w", token)
        assert token not in str(refused.value)

    in_time(connect())
