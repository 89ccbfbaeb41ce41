"""AppClient and AsyncAppClient: what they find, return and raise."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
import threading

import pytest
from served_apps import Board, Served, app_process, entry_of, in_time, until

import lightning_grpc as L
from lightning_grpc.errors import (
    AppEndedError,
    CommandArgumentError,
    CommandFailedError,
    ConfigurationError,
    InvalidValueError,
    NoAnswerError,
    RequestSuspendedError,
    TransportError,
    UnknownCommandError,
    UpdateConflictError,
    UpdateRefusedError,
)
from lightning_grpc.state.values import same
from lightning_grpc.testing import FaultProxy


class Watcher:
    """Watches an app on a thread of its own, and keeps what it has seen."""

    def __init__(self, client):
        self.seen = []
        self.error = None
        self._client = client
        self.thread = threading.Thread(target=self._watch, name="watcher")
        self.thread.start()

    def _watch(self):
        try:
            for change in self._client.watch():
                self.seen.append(change)
        except Exception as error:
            self.error = error

    @property
    def last(self):
        return self.seen[-1].state if self.seen else None

    def until(self, condition):
        until(lambda: self.seen and condition(self.last), "the watcher has seen it")

    def finish(self):
        self.thread.join(30)
        assert not self.thread.is_alive()
        return self


def test_an_app_is_described_read_updated_and_stopped():
    with Served(Board(with_work=True)) as served, served.client() as app:
        description = app.describe()
        assert (description.name, description.stage) == (served.app.name, "running")
        assert description.epoch == served.entry.epoch
        revision = app.update("root.n", 5)
        until(lambda: served.root.seen == 5, "the root has run")
        assert app.state["vars"]["n"] == 5
        work = until(
            lambda: next((each for each in app.works() if each.stage != "not_started"), None), "it has started"
        )
        assert (work.name, work.class_name, work.stage) == ("root.step", "Step", "started")
        assert same(app.state, served.app.state)
        assert app.revision >= revision
        assert len(app.works()) == 1
        app.stop("enough")
        served.thread.join(30)
        assert not served.thread.is_alive()
        with pytest.raises(AppEndedError, match="has ended"):
            app.describe()
        app.close()


def test_each_request_can_be_awaited_too():
    async def use(served):
        async with served.async_client() as app:
            assert (await app.describe()).name == served.app.name
            revision = await app.update("root.n", 5)
            async for change in app.watch():
                if change.state["vars"]["seen"] == 5:
                    break
            assert change.revision >= revision
            assert (await app.state())["vars"]["n"] == 5
            assert await app.revision() >= revision
            assert await app.works() == []
            assert [each.name for each in await app.commands()] == ["add", "fail", "name", "roar"]
            assert await app.run_command("add", number=2) == 7
            await app.stop()

    with Served() as served:
        in_time(use(served))


@pytest.mark.parametrize(
    ("path", "attribute"),
    [
        ("root.n", lambda root: root.n),
        ("root.leaf.n", lambda root: root.leaf.n),
        ("root.leaf.table['a'][1]", lambda root: root.leaf.table["a"][1]),
        ("root.leaf.table.a[1]", lambda root: root.leaf.table["a"][1]),
        ("root.leaf.table[7]['deep']", lambda root: root.leaf.table[7]["deep"]),
        ("root.leaf.table.new", lambda root: root.leaf.table["new"]),
        ("root.shelf.one.n", lambda root: root.shelf["one"].n),
        ("root['flows']['leaf']['vars']['n']", lambda root: root.leaf.n),
        (
            "root['structures']['shelf']['flows']['one']['vars']['table'][\"a\"][2]",
            lambda root: root.shelf["one"].table["a"][2],
        ),
        (("flows", "leaf", "vars", "pair"), lambda root: root.leaf.pair),
    ],
)
def test_an_attribute_is_updated_however_its_place_is_written(path, attribute):
    with Served() as served, served.client() as app:
        for value in ((1, 2.5, {"x": None}), 7):
            app.update(path, value)
            assert same(attribute(served.root), value)


@pytest.mark.parametrize(
    ("path", "value", "error", "words"),
    [
        ("root.nothing", 1, UpdateRefusedError, "has no such attribute"),
        ("root._hidden", 1, UpdateRefusedError, "has no such attribute"),
        ("root.lief.n", 1, UpdateRefusedError, "has no such attribute"),
        ("root.leaf.table['a'][5]", 1, UpdateRefusedError, "does not fit"),
        ("root.n", {1, 2}, UpdateRefusedError, "is not JSON-like"),
        ("root.leaf", 1, ConfigurationError, "is a component; name one of its attributes"),
        ("leaf.n", 1, ConfigurationError, "is no place in an app's state"),
        ("root", 1, ConfigurationError, "is no place in an app's state"),
        ("root.leaf.table[a]", 1, ConfigurationError, "is no place in an app's state"),
    ],
)
def test_an_update_that_does_not_fit_raises_why(path, value, error, words):
    with Served() as served, served.client() as app:
        before = served.app.state
        with pytest.raises(error, match=words.replace("[", r"\[")):
            app.update(path, value)
        assert same(served.app.state, before)


def test_an_update_of_what_has_changed_meanwhile_raises_a_conflict():
    with Served() as served, served.client() as app:
        watched = app.watch()
        first = next(watched)
        app.update("root.leaf.n", 1)
        with pytest.raises(UpdateConflictError, match="has changed since revision"):
            app.update("root.leaf.n", 2, base_revision=first.revision)
        app.update("root.text", "untouched by others", base_revision=first.revision)
        assert served.root.leaf.n == 1
        watched.close()


def test_a_component_that_has_become_another_kind_is_found_again():
    with Served() as served, served.client() as app:
        app.update("root.shelf.one.n", 1)
        app._client._places["root.leaf.n"] = ("works", "leaf", "vars", "n")  # as if a Work had stood there before
        app.update("root.leaf.n", 2)
        assert served.root.leaf.n == 2


def test_what_is_watched_is_the_apps_state_at_every_revision():
    with Served() as served, served.client() as app:
        watcher = Watcher(app)
        watcher.until(lambda state: True)
        for n in range(1, 31):
            app.update("root.n", n)
            app.update("root.leaf.table['a'][0]", n)
        watcher.until(
            lambda state: state["vars"]["seen"] == 30 and state["flows"]["leaf"]["vars"]["table"]["a"][0] == 30
        )
        app.stop()
        served.thread.join(30)
        seen = watcher.finish().seen
        assert watcher.error is None
        assert seen[0].changes == {}
        assert [change.revision for change in seen] == list(range(seen[0].revision, served.app.revision + 1))
        compared = [change for change in seen if change.revision in served.states]
        assert len(compared) > 20
        assert all(same(change.state, served.states[change.revision]) for change in compared)
        assert same(seen[-1].state, served.app.state)
        assert any(
            change.changes == {"values_changed": {"root['flows']['leaf']['vars']['table']['a'][0]": {"new_value": 7}}}
            for change in seen
        )


def test_the_state_of_a_work_is_watched_as_the_flow_sees_it():
    class Driver(Board):
        def run(self):
            self.step.run(20)
            super().run()

    with Served(Driver(with_work=True)) as served, served.client() as app:
        watcher = Watcher(app)
        watcher.until(lambda state: state["works"]["step"]["vars"]["n"] >= 200)
        app.stop()
        watcher.finish()
        for change in watcher.seen:
            items = change.state["works"]["step"]["vars"]["items"]
            assert items == list(range(1, len(items) + 1))
            if change.revision in served.states:
                assert same(change.state, served.states[change.revision])


@pytest.mark.parametrize("fault", ["cut", "garbage", "repeat"])
def test_a_broken_stream_is_resumed_with_nothing_lost_or_repeated(fault):
    with Served() as served, FaultProxy(served.entry.address, seed=3) as proxy, served.client() as app:
        through = L.AppClient(proxy.address, token=served.entry.read_token())
        watcher = Watcher(through)
        watcher.until(lambda state: True)
        for n in range(1, 41):
            app.update("root.n", n)
            if n % 10 == 0:
                getattr(proxy, fault)()
                watcher.until(lambda state, n=n: state["vars"]["n"] == n)
        app.update("root.n", 41)
        watcher.until(lambda state: state["vars"]["n"] == 41)  # the stream is there again, and sees the end
        app.stop()
        seen = watcher.finish().seen
        assert watcher.error is None
        revisions = [change.revision for change in seen]
        if fault == "cut":
            assert revisions == list(range(revisions[0], revisions[-1] + 1))
        assert revisions == sorted(set(revisions))  # after bytes without a meaning, one change may sum up several
        assert all(same(each.state, served.states[each.revision]) for each in seen if each.revision in served.states)
        assert seen[-1].state["vars"]["n"] == 41
        through.close()


def test_a_stream_that_cannot_be_resumed_raises_why():
    with Served() as served, FaultProxy(served.entry.address) as proxy:
        app = L.AppClient(proxy.address, token=served.entry.read_token())
        app.describe()
        app._client._timeout_s = 1  # only now: to be described may take longer on a busy machine
        watcher = Watcher(app)
        watcher.until(lambda state: True)
        proxy.refuse()
        proxy.cut()
        assert isinstance(watcher.finish().error, TransportError)
        app.close()


def test_a_watch_of_an_app_that_is_killed_raises_that_it_has_ended(tmp_path):
    with app_process(tmp_path) as (process, name):
        until(lambda: entry_of(name), "the app is registered")
        with L.AppClient(name=name) as app:
            watcher = Watcher(app)
            watcher.until(lambda state: True)
            process.send_signal(signal.SIGKILL)
            assert isinstance(watcher.finish().error, AppEndedError)
            with pytest.raises(AppEndedError):
                app.update("root.n", 1)


def test_a_watch_that_is_left_early_is_closed():
    with Served() as served, served.client() as app:
        for change in app.watch():
            assert change.state["vars"]["n"] == 0
            break
        assert app.update("root.n", 1) > change.revision


def test_a_flow_that_is_busy_too_long_is_told():
    with Served() as served, served.client() as app, served.client() as impatient:
        impatient._client._timeout_s = 1
        served.root.hold(1)
        app.update("root.n", 1)
        until(served.root._entered.is_set, "the run hangs")

        def is_told():
            with pytest.raises(NoAnswerError) as late:
                impatient.run_command("add", number=1)
            return "Flow did not get to this" in str(late.value)  # else the client's own deadline came first

        until(is_told, "the app says why")
        with pytest.raises(TimeoutError):
            impatient.works()
        served.root.go_on()


def test_commands_are_described_and_executed():
    with Served() as served, served.client() as app:
        add, *_ = app.commands()
        assert (add.name, add.description, add.flow) == ("add", "Add a number.", "root")
        assert [(each.name, each.type, each.required, each.default) for each in add.parameters] == [
            ("number", "int", True, None),
            ("times", "int", False, 1),
        ]
        assert app.run_command("add", number=2, times=3) == 6
        assert app.run_command("name") == ["root.leaf", (1, 2.5, None)]


def test_a_command_that_cannot_be_executed_raises_why():
    with Served() as served, served.client() as app:
        with pytest.raises(UnknownCommandError, match="it has add, fail, name, roar"):
            app.run_command("nothing")
        with pytest.raises(CommandArgumentError, match="'number' is missing"):
            app.run_command("add")
        with pytest.raises(CommandFailedError, match="RuntimeError: as asked") as failed:
            app.run_command("fail")
        assert "fail_it" in failed.value.remote_traceback
        with pytest.raises(CommandFailedError, match="RuntimeError: ééé"):
            app.run_command("roar")
        with pytest.raises(InvalidValueError):
            app.run_command("add", number={1})
        assert app.run_command("add", number=1) == 1


def test_a_command_that_calls_a_blocking_work_is_told_so():
    class Blocking(L.LightningWork):
        def run(self):
            pass

    class Caller(Board):
        def __init__(self):
            super().__init__()
            self.once = Blocking()

        def configure_commands(self):
            return {"call": self.call}

        def call(self):
            self.once.run()

    with (
        Served(Caller()) as served,
        served.client() as app,
        pytest.raises(RequestSuspendedError, match=r"root\.once"),
    ):
        app.run_command("call")


def test_a_wrong_token_is_explained():
    with (
        Served() as served,
        pytest.raises(ConfigurationError, match="token"),
        L.AppClient(served.entry.address, token="wrong"),
    ):
        pass


def test_without_an_app_it_is_said_how_to_start_one():
    with pytest.raises(ConfigurationError, match="lightning-grpc run app FILE"):
        L.AppClient()


def test_with_several_apps_they_are_listed_and_one_can_be_chosen():
    with Served() as one, Served() as two:
        with pytest.raises(ConfigurationError) as several:
            L.AppClient()
        for served in (one, two):
            assert f"{served.app.name} (pid " in str(several.value)
            assert served.entry.address in str(several.value)
        with pytest.raises(ConfigurationError, match="no app called 'three'"):
            L.AppClient(name="three")
        with L.AppClient(name=one.app.name) as app:
            assert app.describe().name == one.app.name
        for address in (two.entry.address, two.entry.address.removeprefix("unix:")):
            with L.AppClient(address) as app:
                assert app.describe().name == two.app.name


def test_the_only_app_is_found_by_itself():
    with Served() as served, L.AppClient() as app:
        assert app.describe().name == served.app.name


def test_the_clients_of_a_process_share_one_thread_and_may_be_used_by_many():
    with Served() as served, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(served.client()) for _ in range(5)]
        threads = [threading.Thread(target=app.run_command, args=("add",), kwargs={"number": 1}) for app in clients * 4]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert served.root.n == 20
        assert [each.name for each in threading.enumerate()].count("lightning-grpc-client") == 1


def test_a_client_of_one_run_of_an_app_is_not_served_by_another():
    async def use(one, two):
        client = L.AsyncAppClient(one.entry.address)
        client._target = type(client._target)(two.entry.address, "two", two.entry.read_token())
        with pytest.raises(AppEndedError, match="another run"):
            await client.update("root['vars']['n']", 1)
        with pytest.raises(AppEndedError, match="another run"):
            await anext(client.watch())
        await client.close()

    with Served() as one, Served() as two:
        in_time(use(one, two))


def test_requests_at_a_time_are_answered_each():
    async def use(served):
        async with served.async_client() as app:
            await asyncio.gather(*(app.run_command("add", number=1) for _ in range(100)))
            assert (await app.state())["vars"]["n"] == 100

    with Served() as served:
        in_time(use(served))


LEFT_OPEN = """
import signal
import sys
import lightning_grpc as L
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests may ignore it
app = L.AppClient(name=sys.argv[1])
changes = app.watch()
print(next(changes).revision, flush=True)
if sys.argv[2] == "wait":
    for change in changes:
        pass
"""


@pytest.mark.parametrize(("how", "code"), [("leave", 0), ("wait", -signal.SIGINT)])
def test_a_program_that_leaves_a_watch_open_ends_all_the_same(how, code):
    with Served() as served:
        command = [sys.executable, "-c", LEFT_OPEN, served.app.name, how]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
            assert int(program.stdout.readline()) > 0
            if how == "wait":
                program.send_signal(signal.SIGINT)
            errors = program.communicate(timeout=30)[1]
        assert program.returncode == code
        assert "KeyboardInterrupt" in errors if how == "wait" else not errors


@pytest.mark.parametrize("has_asked", [False, True])
def test_ctrl_c_that_comes_while_the_next_change_is_being_asked_for_ends_the_watch_at_once(monkeypatch, has_asked):
    with Served() as served, served.client() as app:
        changes = app.watch()
        next(changes)
        ask = asyncio.BaseEventLoop.call_soon_threadsafe

        def interrupted(loop, function, *arguments, **options):
            if threading.current_thread() is not threading.main_thread():
                return ask(loop, function, *arguments, **options)
            monkeypatch.undo()
            if has_asked:
                ask(loop, function, *arguments, **options)
            raise KeyboardInterrupt

        monkeypatch.setattr(asyncio.BaseEventLoop, "call_soon_threadsafe", interrupted)
        with pytest.raises(KeyboardInterrupt):
            for _ in changes:
                pass
        assert app.state["vars"]["n"] == 0
