"""What users import, where they look for it, and what importing it costs."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

import lightning_grpc

PUBLIC = [
    "AppClient",
    "AsyncAppClient",
    "AsyncWorkClient",
    "BuildConfig",
    "CloudCompute",
    "LightningApp",
    "LightningFlow",
    "LightningWork",
    "RemoteWork",
    "WorkClient",
    "__version__",
    "serve",
]
COMPATIBLE = {
    "lightning_grpc.api": ["Delete", "Get", "Post", "Put"],
    "lightning_grpc.structures": ["Dict", "List"],
    "lightning_grpc.runners": ["MultiProcessRuntime", "Runtime"],
    "lightning_grpc.utilities.app_helpers": ["pretty_state", "_state_dict", "_load_state_dict"],
    "lightning_grpc.utilities.app_status": ["WorkStatus"],
    "lightning_grpc.utilities.commands": ["ClientCommand"],
    "lightning_grpc.utilities.enum": [
        "AppStage",
        "CacheCallsKeys",
        "WorkFailureReasons",
        "WorkStageStatus",
        "WorkStopReasons",
    ],
    "lightning_grpc.utilities.exceptions": [
        "CacheMissException",
        "ExitAppException",
        "LightningFlowException",
        "LightningWorkException",
        "MisconfigurationException",
    ],
}


def modules_after(*statements):
    """The names of all modules that a fresh interpreter has imported after some statements."""
    code = "; ".join([*statements, "import sys", "print('\\n'.join(sys.modules))"])
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=50)
    return set(output.stdout.split())


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_can_be_imported(name):
    assert getattr(lightning_grpc, name) is not None


def test_the_public_names_are_the_ones_that_are_announced():
    assert sorted(lightning_grpc.__all__) == sorted(PUBLIC)
    assert set(PUBLIC) <= set(dir(lightning_grpc))


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'LightningThing'"):
        _ = lightning_grpc.LightningThing


@pytest.mark.parametrize(("module", "name"), [(module, name) for module, names in COMPATIBLE.items() for name in names])
def test_a_name_stands_where_users_of_lightning_apps_look_for_it(module, name):
    assert getattr(importlib.import_module(module), name) is not None


def test_a_name_is_the_same_thing_wherever_it_is_imported_from():
    from lightning_grpc import signals
    from lightning_grpc.components import flow, pretty, status, structures, work
    from lightning_grpc.utilities import exceptions
    from lightning_grpc.utilities.app_helpers import pretty_state
    from lightning_grpc.utilities.enum import AppStage

    assert lightning_grpc.LightningFlow is flow.LightningFlow
    assert lightning_grpc.LightningWork is work.LightningWork
    assert importlib.import_module("lightning_grpc.structures").List is structures.List
    assert pretty_state is pretty.pretty_state
    assert AppStage is status.AppStage
    assert exceptions.ExitAppException is signals.ExitAppException
    assert exceptions.CacheMissException is signals.FlowSuspended


def test_importing_the_package_imports_next_to_nothing():
    modules = modules_after("import lightning_grpc")
    heavy = {"grpc", "google.protobuf", "deepdiff", "rich", "click", "cloudpickle", "croniter", "asyncio"}
    assert not modules & heavy
    assert {name for name in modules if name.startswith("lightning_grpc")} == {
        "lightning_grpc",
        "lightning_grpc.version",
    }


def test_defining_and_building_components_needs_no_grpc():
    modules = modules_after(
        "from lightning_grpc import LightningFlow, LightningWork",
        "from lightning_grpc.structures import List",
        "from lightning_grpc.utilities.app_helpers import pretty_state",
        "LightningFlow().state",
    )
    assert not modules & {"grpc", "google.protobuf", "deepdiff", "rich", "cloudpickle", "asyncio", "numpy"}


def test_deepdiff_is_not_imported_with_any_module_of_the_package():
    modules = modules_after(
        "import importlib, pkgutil, lightning_grpc",
        "[importlib.import_module(m.name) for m in pkgutil.walk_packages(lightning_grpc.__path__, 'lightning_grpc.')"
        " if not m.name.endswith('__main__')]",
    )
    assert "deepdiff" not in modules
    assert "lightning_grpc.coordinator.tick" in modules


def test_an_app_needs_no_deepdiff():
    modules = modules_after(
        "from lightning_grpc import LightningApp, LightningFlow",
        "Root = type('Root', (LightningFlow,), {'run': lambda self: None})",
        "LightningApp(Root()).state",
    )
    assert "deepdiff" not in modules


def test_an_app_without_http_needs_no_web_framework():
    modules = modules_after(
        "from lightning_grpc import LightningApp, LightningFlow",
        "from lightning_grpc.api import Get",
        "import lightning_grpc.cli.main, lightning_grpc.cli.run_app",
        "Root = type('Root', (LightningFlow,), {'run': lambda self: self.stop()})",
        "LightningApp(Root()).run()",
    )
    assert not modules & {"fastapi", "starlette", "pydantic", "uvicorn", "sse_starlette", "httpx"}


def test_starting_the_command_line_imports_only_what_parsing_needs():
    modules = modules_after("import lightning_grpc.cli.main")
    slow = {"grpc", "google.protobuf", "asyncio", "deepdiff", "cloudpickle", "cryptography", "fastapi", "pydantic"}
    assert not modules & (slow | {"psutil", "rich.console", "rich.table", "rich.live"})
    assert not modules & {"lightning_grpc.app", "lightning_grpc.service.app_client", "lightning_grpc.worker.process"}
