"""Routes, as Flows declare them."""

from __future__ import annotations

import functools

import pytest

from lightning_grpc.api import Delete, Get, Post, Put
from lightning_grpc.components.flow import LightningFlow
from lightning_grpc.components.routes import collect_routes
from lightning_grpc.components.work import LightningWork
from lightning_grpc.errors import ConfigurationError


class Flow(LightningFlow):
    def __init__(self, routes=(), **children):
        super().__init__()
        for name, child in children.items():
            setattr(self, name, child)
        self._routes = routes

    def answer(self, x=1):
        return x

    def other(self):
        return 2

    def configure_api(self):
        return self._routes(self) if callable(self._routes) else self._routes


class Work(LightningWork):
    def run(self):
        pass

    def answer(self):
        pass


def collect(root):
    return [str(route) for route in collect_routes(root, lambda path: path == "/docs")]


def function():
    return 1


def test_a_route_knows_its_flow_and_its_options():
    flow = Flow()
    route = Put("/v1/x", flow.answer, timeout_s=2, status_code=201)
    assert (route.flow, route.name, route.timeout_s, route.options) == (flow, "answer", 2, {"status_code": 201})
    assert Get("/x", functools.partial(flow.answer, 3)).flow is flow
    assert Get("/x", function).flow is None
    assert Get("/x", function, "renamed", 5).name == "renamed"
    assert Get("/x", function, timeout=5).timeout_s == 5


def test_the_routes_of_all_flows_are_collected():
    child = Flow(lambda flow: [Delete("/c", flow.answer)])
    root = Flow(lambda flow: (Get("/a", flow.answer), Post("/a", flow.answer)), child=child)
    assert collect(root) == ["GET /a", "POST /a", "DELETE /c"]


def test_a_route_that_a_flow_lists_for_its_child_counts_once():
    child = Flow(lambda flow: [Get("/c", flow.answer)])
    root = Flow(lambda flow: [Get("/c", flow.child.answer)], child=child)
    assert collect(root) == ["GET /c"]


@pytest.mark.parametrize(("one", "two"), [("/a", "/a"), ("/a/{x}", "/a/{y}"), ("/a/{x:int}", "/a/{y:int}")])
def test_the_same_route_twice_is_an_error_that_names_both(one, two):
    root = Flow(lambda flow: [Get(one, flow.answer)], child=Flow(lambda flow: [Get(two, flow.other)]))
    with pytest.raises(ConfigurationError, match=r"one of root \(answer\), one of root.child \(other\)"):
        collect(root)


def test_a_path_of_the_package_is_refused():
    with pytest.raises(ConfigurationError, match=r"root has the route POST /docs"):
        collect(Flow(lambda flow: [Post("/docs", flow.answer)]))


@pytest.mark.parametrize("routes", [None, 5, ["/x"], {"a": 1}])
def test_what_is_no_list_of_routes_is_refused(routes):
    with pytest.raises(ConfigurationError, match=r"root.configure_api\(\) returns a list"):
        collect(Flow(routes))


def test_what_cannot_be_a_route_is_refused():
    for path, handler, options, words in [
        ("x", function, {}, "slash"),
        (5, function, {}, "slash"),
        ("/x", 5, {}, "function or a method"),
        ("/x", function, {"timeout_s": 0}, "timeout"),
        ("/x", Work().answer, {}, "another process"),
    ]:
        with pytest.raises(ConfigurationError, match=words):
            Get(path, handler, **options)
