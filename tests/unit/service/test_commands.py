"""The commands of a tree of Flows: collected, described, executed."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from enum import Enum
from typing import Annotated, Any, List, Literal, Optional, Union  # noqa: UP035

import pydantic
import pytest
from client_commands import Greet, NotAtTheTop

import lightning_grpc as L
from lightning_grpc.errors import CommandArgumentError, CommandDefinitionError, CommandFailedError, UnknownCommandError
from lightning_grpc.service.client_command import BOUND_AS, ClientCommand
from lightning_grpc.service.commands import BUILT_IN_NAMES, Commands, usage
from lightning_grpc.signals import ExitAppException, FlowSuspended, LightningFlowException
from lightning_grpc.structures import Dict


class Config(pydantic.BaseModel):
    name: str
    size: int = 1


class Color(Enum):
    RED = "red"
    BLUE = "blue"


class Offering(L.LightningFlow):
    """Offers what it is made with."""

    def __init__(self, *listed):
        super().__init__()
        self.seen = []
        self._listed = listed

    def configure_commands(self):
        return list(self._listed)


def app_with(method):
    """The commands of an app that offers one function as ``go``."""
    return Commands(Offering({"go": method}))


def described(method):
    """The only parameter of the function, as it is described."""
    (parameter,) = app_with(method).describe()[0].parameters
    return parameter


def given(method, value):
    """What the function, which returns its argument's repr, is given for a value."""
    return app_with(method).run("go", {"x": value})


def an_int(x: int):
    return repr(x)


def a_float(x: float):
    return repr(x)


def a_bool(x: bool):
    return repr(x)


def a_str(x: str):
    return repr(x)


def bare(x):
    return repr(x)


def ints(x: list[int]):
    return repr(x)


def old_ints(x: List[int]):  # noqa: UP006
    return repr(x)


def any_list(x: list):
    return repr(x)


def models(x: list[Config]):
    return repr(x)


def any_dict(x: dict):
    return repr(x)


def sizes(x: dict[str, int]):
    return repr(x)


def model(x: Config):
    return repr(x)


def maybe_model(x: Config | None = None):
    return repr(x)


def maybe_int(x: Optional[int]):  # noqa: UP045
    return repr(x)


def maybe_text(x: str | None = None):
    return repr(x)


def anything(x: Any):
    return repr(x)


def color(x: Color):
    return repr(x)


def sized(x: Config = Config(name="a")):  # noqa: B008
    return repr(x)


def blue(x: Color = Color.BLUE):
    return repr(x)


def fast_or_slow(x: Literal["fast", "slow"]):
    return repr(x)


def int_or_text(x: Union[int, str]):  # noqa: UP007
    return repr(x)


def day(x: date):
    return repr(x)


def small(x: Annotated[int, pydantic.Field(le=9)]):
    return repr(x)


def told_by_default(x=3):
    return repr(x)


def none_by_default(x=None):
    return repr(x)


def keyword_only(*, x: int = 2):
    return repr(x)


@pytest.mark.parametrize(
    ("method", "type_", "item_type", "required", "default", "annotation"),
    [
        (an_int, "int", "", True, None, "int"),
        (a_float, "float", "", True, None, "float"),
        (a_bool, "bool", "", True, None, "bool"),
        (a_str, "str", "", True, None, "str"),
        (bare, "str", "", True, None, "str"),
        (ints, "list", "int", True, None, "list[int]"),
        (old_ints, "list", "int", True, None, "List[int]"),
        (any_list, "list", "", True, None, "list"),
        (models, "list", "json", True, None, None),
        (any_dict, "dict", "", True, None, "dict"),
        (sizes, "dict", "", True, None, "dict[str, int]"),
        (model, "json", "", True, None, None),
        (maybe_model, "json", "", False, None, None),
        (maybe_int, "int", "", False, None, "Optional[int]"),
        (maybe_text, "str", "", False, None, "str | None"),
        (anything, "json", "", True, None, "Any"),
        (color, "json", "", True, None, None),
        (fast_or_slow, "json", "", True, None, "Literal['fast', 'slow']"),
        (int_or_text, "json", "", True, None, None),
        (day, "json", "", True, None, "datetime.date"),
        (small, "int", "", True, None, None),
        (told_by_default, "int", "", False, 3, "int"),
        (none_by_default, "str", "", False, None, "str"),
        (keyword_only, "int", "", False, 2, "int"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_parameter_is_described_by_its_annotation(method, type_, item_type, required, default, annotation):
    found = described(method)
    assert (found.name, found.type, found.item_type, found.required, found.default) == (
        "x",
        type_,
        item_type,
        required,
        default,
    )
    if annotation is not None:
        assert found.annotation.removeprefix("typing.") == annotation


@pytest.mark.parametrize(
    ("method", "value", "expected"),
    [
        (an_int, 3, "3"),
        (an_int, "3", "3"),
        (an_int, 10**40, str(10**40)),
        (a_float, 2, "2.0"),
        (a_float, "2.5", "2.5"),
        (a_bool, True, "True"),
        (a_bool, "no", "False"),
        (a_str, "3", "'3'"),
        (bare, "you", "'you'"),
        (ints, [1, "2"], "[1, 2]"),
        (ints, (1, 2), "[1, 2]"),
        (ints, [], "[]"),
        (any_list, [1, "a", None], "[1, 'a', None]"),
        (models, [{"name": "a"}], "[Config(name='a', size=1)]"),
        (any_dict, {"a": [1]}, "{'a': [1]}"),
        (sizes, {"a": 1}, "{'a': 1}"),
        (model, {"name": "a", "size": 2}, "Config(name='a', size=2)"),
        (maybe_model, None, "None"),
        (maybe_int, None, "None"),
        (maybe_int, "4", "4"),
        (anything, [1, {"a": 2.0}], "[1, {'a': 2.0}]"),
        (color, "red", "<Color.RED: 'red'>"),
        (fast_or_slow, "fast", "'fast'"),
        (int_or_text, 3, "3"),
        (day, "2026-02-03", "datetime.date(2026, 2, 3)"),
        (small, 9, "9"),
        (told_by_default, "5", "5"),
        (keyword_only, 5, "5"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_value_that_fits_becomes_what_the_annotation_says(method, value, expected):
    assert given(method, value) == expected


@pytest.mark.parametrize(
    ("method", "value", "says"),
    [
        (an_int, "three", "takes an int, not 'three' (str)"),
        (an_int, True, "takes an int, not True (bool)"),
        (an_int, 3.0, "takes an int, not 3.0 (float)"),
        (an_int, None, "takes an int, not None (None)"),
        (a_float, "x", "takes a float"),
        (a_float, 10**400, "takes a float"),
        (a_bool, 1, "takes true or false, not 1 (int)"),
        (a_bool, "perhaps", "takes true or false"),
        (a_str, 3, "takes a str, not 3 (int)"),
        (bare, 3, "takes a str"),
        (ints, "12", "takes a list, not '12' (str)"),
        (ints, [1, "x"], "takes an int, not 'x'"),
        (models, [{"name": 1}], "name: Input should be a valid string"),
        (any_dict, [], "takes a dict, not [] (list)"),
        (sizes, {"a": "x"}, "a: Input should be a valid integer"),
        (model, {"size": 1}, "name: Field required"),
        (model, "no model", "does not fit"),
        (fast_or_slow, "slower", "'fast' or 'slow'"),
        (color, "green", "'red' or 'blue'"),
        (day, "yesterday", "does not fit"),
        (small, 10, "less than or equal to 9"),
        (told_by_default, None, "takes an int"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_value_that_does_not_fit_is_an_error_that_names_the_argument_and_the_usage(method, value, says):
    with pytest.raises(CommandArgumentError) as caught:
        given(method, value)
    assert (caught.value.command, caught.value.argument) == ("go", "x")
    assert says in str(caught.value)
    assert "Usage: go" in str(caught.value)


def test_arguments_that_are_left_out_have_their_defaults():
    assert app_with(told_by_default).run("go", {}) == "3"
    assert app_with(maybe_int).run("go", {}) == "None"
    assert app_with(keyword_only).run("go", {}) == "2"


def test_an_argument_that_is_missing_or_unknown_is_an_error_and_nothing_is_executed():
    called = []

    def go(name: str, times: int = 1):
        called.append(name)

    commands = app_with(go)
    with pytest.raises(CommandArgumentError, match=r"go: the argument 'name' is missing. Usage: go --name STR \["):
        commands.run("go", {})
    with pytest.raises(CommandArgumentError, match="the argument 'nmae' is unknown"):
        commands.run("go", {"nmae": "a", "name": "b"})
    assert called == []


def test_a_usage_tells_every_kind_of_option():
    def go(name: str, flag: bool, items: list[int], config: Config, table: dict, max_size: int = 3):
        pass

    assert usage(app_with(go).describe()[0]) == (
        "go --name STR --flag/--no-flag --items INT ... --config JSON --table JSON [--max-size INT]"
    )


def test_a_model_is_described_by_its_json_schema():
    assert '"required": ["name"]' in described(model).json_schema
    assert '"required": ["name"]' in described(models).json_schema


def test_a_default_that_is_no_value_is_described_as_one_if_it_can_be():
    assert described(sized).default == {"name": "a", "size": 1}
    assert described(blue).default == "blue"
    assert described(lambda x=object: x).default is None


@pytest.mark.parametrize(
    ("result", "sent"),
    [
        (None, None),
        ([1, (2.0, "x")], [1, (2.0, "x")]),
        ({"a": None}, {"a": None}),
        (Config(name="a"), {"name": "a", "size": 1}),
        ({"all": [Config(name="a")]}, {"all": [{"name": "a", "size": 1}]}),
    ],
)
def test_a_result_is_a_value_or_a_model(result, sent):
    assert app_with(lambda: result).run("go", {}) == sent


@pytest.mark.parametrize("result", [{1, 2}, object(), b"x", ["ok", {"deep": {3}}], "\ud800"])
def test_a_result_that_is_no_value_is_an_error_that_says_so(result):
    with pytest.raises(CommandFailedError, match="returned what cannot be sent"):
        app_with(lambda: result).run("go", {})


def test_a_result_is_a_copy_of_what_the_flow_goes_on_to_change():
    flow = Offering()
    flow.seen = [[1]]
    flow._listed = ({"go": lambda: flow.seen},)
    result = Commands(flow).run("go", {})
    flow.seen[0].append(2)
    assert result == [[1]]


def test_an_exception_is_reported_with_its_type_message_and_traceback():
    def go():
        raise KeyError("there is no such thing")

    with pytest.raises(CommandFailedError) as caught:
        app_with(go).run("go", {})
    error = caught.value
    assert (error.command, error.remote_type, error.message) == ("go", "KeyError", "'there is no such thing'")
    assert 'raise KeyError("there is no such thing")' in error.remote_traceback
    assert "service/commands.py" not in error.remote_traceback


def test_what_is_no_ordinary_exception_is_reported_too():
    class Cancelled(BaseException):
        pass

    def go():
        raise Cancelled("quite")

    with pytest.raises(CommandFailedError, match="Cancelled: quite"):
        app_with(go).run("go", {})


@pytest.mark.parametrize(
    "signal", [ExitAppException, LightningFlowException, FlowSuspended, KeyboardInterrupt, SystemExit]
)
def test_what_leaves_a_run_leaves_a_command_too(signal):
    def go():
        raise signal("now")

    with pytest.raises(signal):
        app_with(go).run("go", {})


def test_commands_of_every_flow_are_collected_and_named_by_their_flow():
    class Child(L.LightningFlow):
        def configure_commands(self):
            return {"poke": self.poke}

        def poke(self):
            """Poke the child.

            More of it.
            """

    root = Offering()
    root._listed = ({"go": root.stop},)
    root.child = Child()
    root.table = Dict(a=Offering({"in the table": bare}))
    found = {each.name: each for each in Commands(root).describe()}
    assert {name: each.flow for name, each in found.items()} == {
        "go": "root",
        "poke": "root.child",
        "in the table": "root.table.a",
    }
    assert found["poke"].description == "Poke the child.\n\nMore of it."
    assert [each.name for each in Commands(root).describe()] == ["go", "in the table", "poke"]


def test_commands_of_flows_that_come_and_go_do_too():
    root = Offering()
    root.table = Dict(a=Offering({"first": bare}))
    commands = Commands(root)
    root.table["b"] = Offering({"second": bare})
    assert [each.name for each in commands.describe()] == ["first", "second"]
    del root.table["a"]
    assert [each.name for each in commands.describe()] == ["second"]
    with pytest.raises(UnknownCommandError, match="the app has no command 'first'; it has second"):
        commands.run("first", {})


def test_a_command_that_becomes_another_takes_what_that_one_takes():
    root = Offering({"go": an_int})
    commands = Commands(root)
    assert commands.run("go", {"x": "3"}) == "3"
    root._listed = ({"go": a_str},)
    assert commands.run("go", {"x": "3"}) == "'3'"
    assert commands.describe()[0].parameters[0].type == "str"


def test_a_root_may_list_what_its_child_lists_too():
    class Child(L.LightningFlow):
        def configure_commands(self):
            return [{"poke": self.poke}]

        def poke(self):
            return "poked"

    class Root(L.LightningFlow):
        def __init__(self):
            super().__init__()
            self.child = Child()

        def configure_commands(self):
            return [{"own": self.own}, *self.child.configure_commands()]

        def own(self):
            return "own"

    commands = Commands(Root())
    assert [(each.name, each.flow) for each in commands.describe()] == [("own", "root"), ("poke", "root.child")]
    assert commands.run("poke", {}) == "poked"


def test_two_methods_under_one_name_are_an_error_that_names_both_flows():
    root = Offering({"do it": bare})
    root.child = Offering({"do_it": an_int})
    with pytest.raises(
        CommandDefinitionError, match=r"root\.bare offered by root, and .*an_int offered by root\.child"
    ):
        Commands(root).describe()


@pytest.mark.parametrize("name", ["run", "commands", "run app", "run it"])
def test_a_built_in_command_cannot_be_hidden(name):
    with pytest.raises(CommandDefinitionError, match="is hidden by a command of lightning-grpc itself"):
        Commands(Offering({name: bare})).describe()


@pytest.mark.parametrize("name", ["", "-x", "a  b", " a", "a/b", "a=b", "a\n", 3, None])
def test_a_name_that_cannot_be_typed_is_an_error(name):
    with pytest.raises(CommandDefinitionError, match="is no name for a command"):
        Commands(Offering({name: bare})).describe()


def positional(x, /):
    pass


def many(*xs):
    pass


def named(**xs):
    pass


def strange(x: object()):
    pass


def unfit(x: threading.Lock):  # noqa: F821
    pass


def odd(x: pytest.MonkeyPatch):
    pass


async def waits():
    pass


@pytest.mark.parametrize(
    ("method", "says"),
    [
        (positional, "has the parameter 'x', which must have a name that a caller can use"),
        (many, "has the parameter 'xs', which must have a name"),
        (named, "has the parameter 'xs', which must have a name"),
        (strange, "has the parameter 'x', which has the annotation"),
        (odd, "which nothing can be converted to"),
        (
            unfit,
            "which has the annotation 'threading.Lock', which cannot be evaluated: name 'threading' is not defined",
        ),
        (waits, "is a coroutine function"),
        ("text", "a command is a method of a Flow"),
        (None, "a command is a method of a Flow"),
        (Config, "a command is a method of a Flow"),
    ],
)
def test_what_cannot_be_called_is_an_error_that_says_why(method, says):
    with pytest.raises(CommandDefinitionError) as caught:
        app_with(method).describe()
    assert says in str(caught.value)
    assert "the command 'go' in root.configure_commands()" in str(caught.value)


def test_what_a_method_returns_need_not_be_known():
    def go(x: int) -> Nobody.Knows:  # noqa: F821
        return repr(x)

    assert given(go, 3) == "3"


def test_one_method_with_and_without_a_clients_part_is_two_commands():
    root = Offering({"go": a_str})
    root.child = Offering({"go": Greet(method=a_str)})
    with pytest.raises(CommandDefinitionError, match="is the name of two commands"):
        Commands(root).describe()
    root = Offering({"go": Greet(method=a_str)})
    root.child = Offering({"go": Greet(method=a_str)})
    assert len(Commands(root).describe()) == 1


def test_a_works_method_is_no_command():
    class Job(L.LightningWork):
        def run(self):
            pass

        def poke(self):
            pass

    root = Offering()
    root.job = Job()
    root._listed = ({"go": root.job.poke},)
    with pytest.raises(CommandDefinitionError, match=r"a method of the Work root\.job, which lives in another process"):
        Commands(root).describe()


@pytest.mark.parametrize("listed", [["go"], 3, "go", [("go", bare)], bare])
def test_what_is_no_list_of_dicts_is_an_error(listed):
    flow = Offering()
    flow.__dict__["configure_commands"] = lambda: listed
    with pytest.raises(CommandDefinitionError, match=r"root\.configure_commands\(\) returned .*; it returns a list of"):
        Commands(flow).describe()


@pytest.mark.parametrize("listed", [None, [], (), {}, [{}], ({"go": bare},), {"go": bare}, [{"go": bare}, {}]])
def test_what_a_flow_lists_is_a_list_of_dicts_or_one_dict(listed):
    flow = Offering()
    flow.__dict__["configure_commands"] = lambda: listed
    assert [each.name for each in Commands(flow).describe()] == (["go"] if "go" in repr(listed) else [])


def test_an_exception_in_configure_commands_is_an_error_that_names_the_flow():
    class Broken(L.LightningFlow):
        def configure_commands(self):
            raise ZeroDivisionError("no")

    root = Offering()
    root.child = Broken()
    with pytest.raises(
        CommandDefinitionError, match=r"root\.child\.configure_commands\(\) raised ZeroDivisionError: no"
    ):
        Commands(root).describe()


def test_an_app_with_commands_that_cannot_be_called_does_not_begin():
    class Root(L.LightningFlow):
        def run(self):
            raise AssertionError("it began")

        def configure_commands(self):
            return {"run": self.stop}

    app = L.LightningApp(Root())
    with pytest.raises(CommandDefinitionError, match="is hidden by a command of lightning-grpc itself"):
        app.run()
    assert not app.has_run


def test_a_flow_offers_nothing_by_default():
    assert Commands(L.LightningFlow()).describe() == []
    with pytest.raises(UnknownCommandError, match="it has none"):
        Commands(L.LightningFlow()).run("go", {})


def test_spaces_in_a_name_may_be_underscores():
    assert Commands(Offering({"do it now": a_str})).run("do_it_now", {"x": "a"}) == "'a'"


def test_a_client_command_is_described_with_the_source_of_its_file():
    (found,) = Commands(Offering({"greet": Greet(method=a_str)})).describe()
    assert found.description == "Greet from the client's side."
    assert [each.name for each in found.parameters] == ["x"]
    assert found.client_source.startswith('"""Commands with a part')
    namespace = {"__name__": "elsewhere"}
    exec(found.client_source, namespace)
    assert namespace[BOUND_AS].__name__ == "Greet"


def test_a_client_command_whose_class_cannot_be_sent_is_an_error():
    with pytest.raises(CommandDefinitionError, match="has to stand at the top level of its file"):
        Commands(Offering({"greet": NotAtTheTop.Inner(method=a_str)})).describe()


def test_a_client_command_calls_its_method_in_the_app_and_its_handler_at_the_client():
    assert Greet(method=a_str)(x="a") == "'a'"
    command, sent = Greet(), []
    with pytest.raises(RuntimeError, match="for the client's side"):
        command.invoke_handler(x="a")
    command._connect("greet", ("settings",), sent.append)
    command.invoke_handler(Config(name="a"))
    command.invoke_handler(settings=Config(name="b"))
    assert sent == [{"settings": {"name": "a", "size": 1}}, {"settings": {"name": "b", "size": 1}}]
    command._connect("greet", ("config", "x"), sent.append)
    command.invoke_handler(config={"a": 1}, x=2)
    assert sent[-1] == {"config": {"a": 1}, "x": 2}


def test_a_client_command_is_where_lightning_apps_had_it():
    from lightning_grpc.utilities.commands import ClientCommand as Exported

    assert Exported is ClientCommand


def test_the_built_in_names_are_those_of_the_command_line():
    from lightning_grpc.cli.main import main

    assert frozenset(main.commands) == BUILT_IN_NAMES


def test_pydantic_is_imported_only_for_annotations_that_need_it():
    code = """
import sys
import lightning_grpc as L
from lightning_grpc.service.commands import Commands

class Flow(L.LightningFlow):
    def configure_commands(self):
        return {"go": self.go}
    def go(self, a: int, b: list[str] = [], c: dict | None = None):
        return a
assert Commands(Flow()).run("go", {"a": 1}) == 1
assert "pydantic" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
