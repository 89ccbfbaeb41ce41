"""Apps that are served over HTTP in this process, and clients of them, for the tests."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from dataclasses import dataclass

import httpx
from fastapi import HTTPException, Request
from pydantic import BaseModel
from sample_works import Keeper

import lightning_grpc as L
from lightning_grpc.api import Delete, Get, Post, Put
from lightning_grpc.service.registry import running_apps

DEADLINE_S = 30


class HandlerModel(BaseModel):
    name: str


class Item(BaseModel):
    name: str
    price: float = 1.0


class Shelf(BaseModel):
    items: list[Item]
    total: int


def double(number: int) -> int:
    return 2 * number


async def triple(number: int) -> int:
    return 3 * number


def broken() -> None:
    raise KeyError("no such thing")


def leaving() -> None:
    raise SystemExit(3)


class Shop(L.LightningFlow):
    """Has a handler of every kind, and runs until it is told to end."""

    def __init__(self):
        super().__init__()
        self.names = []
        self.shelf = {}
        self.pair = (1, 2.5)
        self.table = {1: "one"}
        self.count = 0
        self.child = Counting()
        self.keeper = Keeper()  # not parallel: calling it blocks
        self._end = threading.Event()
        self._busy = threading.Event()
        self._release = threading.Event()

    def run(self):
        if self._end.is_set():
            self.stop()

    def handler(self, config: HandlerModel) -> None:
        self.names.append(config.name)

    def list_names(self) -> list[str]:
        return self.names

    def put_item(self, key: str, item: Item, note: str = "none") -> Shelf:
        """Put an item on the shelf."""
        self.shelf[key] = {"name": item.name, "price": item.price, "note": note}
        return Shelf(items=[item], total=len(self.shelf))

    def delete_item(self, key: str):
        if key not in self.shelf:
            raise HTTPException(404, f"there is no {key}")
        del self.shelf[key]

    def raising(self):
        raise ZeroDivisionError("cannot divide that")

    def hold(self) -> str:
        self._busy.set()
        assert self._release.wait(DEADLINE_S)
        return "released"

    def suspended(self):
        self.keeper.run("from a handler")

    def thread(self) -> str:
        return threading.current_thread().name

    async def patient(self, name: str) -> str:
        self.names.append(name)
        return threading.current_thread().name

    def echo(self, request: Request):
        return {"method": request.method, "json": request.json(), "kind": request.headers["x-kind"]}

    def measured(self, x: float):
        return {"x": x, "all": (x, [x, 1.5])}

    def failing(self):
        self.fail("enough")

    def quit(self):
        self.stop()

    def configure_commands(self):
        return {"greet": self.greet}

    def greet(self, name: str, times: int = 1):
        """Greet somebody."""

    def configure_api(self):
        return [
            Post("/v1/api/request", self.handler),
            Get("/v1/names", self.list_names),
            Get("/v1/measured", self.measured),
            Put("/v1/items/{key}", self.put_item, status_code=201),
            Delete("/v1/items/{key}", self.delete_item),
            Get("/v1/raising", self.raising),
            Get("/v1/hold", self.hold, timeout_s=0.3),
            Get("/v1/late", self.list_names, timeout_s=0.3),
            Post("/v1/late", self.handler, timeout_s=0.3),
            Get("/v1/suspended", self.suspended),
            Get("/v1/thread", self.thread),
            Post("/v1/patient", self.patient),
            Post("/v1/echo", self.echo),
            Get("/v1/failing", self.failing),
            Get("/v1/quit", self.quit),
            Get("/v1/double/{number}", double),
            Get("/v1/triple/{number}", triple),
            Get("/v1/broken", broken),
            Get("/v1/leaving", leaving),
        ]


class Counting(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.count = 0

    def add(self, by: int = 1) -> int:
        self.count += by
        return self.count

    def configure_api(self):
        return [Post("/v1/count", self.add)]


@dataclass
class Served:
    """An app that is being served."""

    app: L.LightningApp
    root: L.LightningFlow
    client: httpx.Client
    token: str

    @property
    def url(self):
        return self.app.http_url

    @property
    def with_token(self):
        return {"Authorization": f"Bearer {self.token}"}


def has_started(work):
    """Tell whether a Work's process has said that it is there: from then on, it changes nothing by itself."""
    return work.status.stage == "started"


def wait_until(condition, what):
    deadline_s = time.monotonic() + DEADLINE_S
    while not (result := condition()):
        assert time.monotonic() < deadline_s, f"{what} did not happen"
        time.sleep(0.005)
    return result


@contextlib.contextmanager
def serve(root=None, **options):
    """Run an app on a thread until the block is left; `root` ends when its `_end` is set."""
    root = Shop() if root is None else root
    before = set(threading.enumerate())
    app = L.LightningApp(root, idle_interval_s=0.02, **{"http_port": 0, **options})
    thread = threading.Thread(target=_run, args=[app], name="the app")
    thread.start()
    try:
        wait_until(lambda: app.http_url or not thread.is_alive(), "the server's start")
        assert app.http_url, app.exception
        entry = wait_until(lambda: next((e for e in running_apps() if e.http == app.http_url), None), "registration")
        with httpx.Client(base_url=app.http_url, timeout=DEADLINE_S, trust_env=False) as client:
            yield Served(app, root, client, entry.read_token())
    finally:
        root._release.set()
        root._end.set()
        thread.join(DEADLINE_S)
        assert not thread.is_alive()

    def left():
        return {each.name for each in set(threading.enumerate()) - before if each.name.startswith("lightning-grpc")}

    wait_until(lambda: not left(), "the end of all threads")


def _run(app):
    with contextlib.suppress(Exception):
        app.run()


@dataclass
class Event:
    name: str
    id: str
    data: object

    @property
    def revision(self):
        return int(self.id.partition(".")[0])


@contextlib.contextmanager
def events(served, last_event_id=None):
    """Yield an iterator over an app's events."""
    headers = {"Last-Event-ID": last_event_id} if last_event_id is not None else {}
    with served.client.stream("GET", "/api/v1/events", headers=headers) as response:
        assert response.status_code == 200, response.read()
        yield read_events(response.iter_lines())


def read_events(lines):
    fields = {}
    for line in lines:
        if line.startswith(":"):
            continue
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif fields:
            yield Event(fields["event"], fields["id"], json.loads(fields["data"]))
            fields = {}
