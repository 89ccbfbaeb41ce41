"""What a command takes: read from a method's signature, described for others, converted and checked.

A parameter has one of seven types, which a client knows how to ask a person for. What a plain annotation says is
checked here; anything that is more than that, such as a pydantic model, a ``Literal`` or a ``dict[str, int]``, is left
to pydantic, which is imported only then.
"""

from __future__ import annotations

import inspect
import json
import sys
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lightning_grpc.errors import InvalidValueError
from lightning_grpc.state.values import Value, copy, describe_type, validate

SCALAR_TYPES: dict[Any, str] = {int: "int", float: "float", bool: "bool", str: "str"}
"""Annotations whose values are given as a word, and the types they stand for."""

_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off"})
_UNIONS = (typing.Union, types.UnionType)


@dataclass(frozen=True)
class ParameterDescription:
    """What is told of a parameter.

    Attributes:
        name: Its name.
        type: ``int``, ``float``, ``bool``, ``str``, ``list``, ``dict`` or ``json``.
        required: Whether it must be given.
        default: Its default, if it has one that is a value; else None.
        annotation: Its annotation as people write it.
        item_type: Of a list: the type of its items; empty if they may be anything.
        json_schema: Their JSON schema, as JSON, of values that pydantic checks; of a list, that of its items.
    """

    name: str
    type: str
    required: bool
    default: Value = None
    annotation: str = ""
    item_type: str = ""
    json_schema: str = ""


@dataclass(frozen=True)
class Parameter:
    """A parameter on the side that knows its annotation.

    Attributes:
        description: What is told of it.
        optional: Whether None is one of its values.
        fills_in_none: Whether the method, which has no default, is given None if nothing is given.
        adapter: What makes of a value that which the annotation says, if that is more than its type; for a list whose
            items are ``json``, of each item.
    """

    description: ParameterDescription
    optional: bool
    fills_in_none: bool
    adapter: Callable[[Value], Any] | None

    def convert(self, value: Value) -> Any:
        """Return what the method is to be given for a value.

        Raises:
            ValueError: The value does not fit; says what is taken.
        """
        if value is None and self.optional:
            return None
        converted = convert(self.description, value)
        if self.adapter is None:
            return converted
        if self.description.type == "list":
            return [self.adapter(item) for item in converted]
        return self.adapter(converted)


def convert(description: ParameterDescription, value: Value) -> Value:
    """Return a value as the type of a parameter.

    A text that says a number, ``true`` or ``false`` becomes one where such is taken; an int becomes a float. Nothing
    else is converted.

    Raises:
        ValueError: It does not fit; says what is taken.
    """
    if description.type == "list":
        if type(value) not in (list, tuple):
            raise ValueError(f"takes a list, not {_render(value)}")
        if description.item_type in ("", "json"):
            return list(value)
        return [_scalar(description.item_type, item) for item in value]
    if description.type == "dict":
        if type(value) is not dict:
            raise ValueError(f"takes a dict, not {_render(value)}")
        return value
    if description.type == "json":
        return value
    return _scalar(description.type, value)


def from_text(description: ParameterDescription, text: str) -> Value:
    """Return what a person means by a word on the command line; of a list, one item.

    Raises:
        ValueError: It does not fit; says what is taken.
    """
    kind = description.item_type or "str" if description.type == "list" else description.type
    if kind not in ("dict", "json"):
        return _scalar(kind, text)
    schema = json.loads(description.json_schema or "{}")
    if schema.get("type") == "string":
        return text
    try:
        value = json.loads(text)
    except ValueError as error:
        if kind == "json" and _takes_text(schema):
            return text
        raise ValueError(f"takes JSON, not {text!r}: {error}") from None
    if kind == "dict" and type(value) is not dict:
        raise ValueError(f"takes a JSON object, not {text!r}")
    return value


def read_all(method: Callable[..., Any]) -> tuple[Parameter, ...]:
    """Read the parameters of a method's signature.

    Raises:
        ValueError: One of them cannot be a command's; says which, and why.
    """
    try:
        signature = inspect.signature(method)
    except (TypeError, ValueError) as error:
        raise ValueError(f"has a signature that cannot be read: {error}") from None
    return tuple(read(each, method) for each in signature.parameters.values())


def read(parameter: inspect.Parameter, method: Callable[..., Any]) -> Parameter:
    """Read one parameter of a method.

    Without an annotation, the type is that of the default, or else str.

    Raises:
        ValueError: It cannot be a command's; says why.
    """
    try:
        return _read(parameter, method)
    except ValueError as error:
        raise ValueError(f"has the parameter {parameter.name!r}, which {error}") from None


def _read(parameter: inspect.Parameter, method: Callable[..., Any]) -> Parameter:
    if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
        raise ValueError("must have a name that a caller can use; *args, **kwargs and positional-only ones have none")
    has_default = parameter.default is not parameter.empty
    default = parameter.default if has_default else None
    annotation = _evaluated(parameter.annotation, method)
    if annotation is parameter.empty:
        annotation = type(default) if type(default) in (*SCALAR_TYPES, list, dict) else str
        plain, optional = annotation, default is None and has_default
    else:
        plain, optional = _without_none(annotation)
        optional = optional or (default is None and has_default)
    type_, item_type, schema, adapter = _read_type(plain)
    return Parameter(
        ParameterDescription(
            name=parameter.name,
            type=type_,
            required=not has_default and not optional,
            default=_as_value(default),
            annotation=_annotation(annotation, getattr(method, "__module__", "")),
            item_type=item_type,
            json_schema=schema,
        ),
        optional,
        optional and not has_default,
        adapter,
    )


def as_json_like(value: Any) -> Any:
    """Return a value with pydantic models in it as dicts, at any depth of lists, tuples and dicts; fresh."""
    if _is_model(value):
        return value.model_dump(mode="json")
    if type(value) in (list, tuple):
        return type(value)(as_json_like(item) for item in value)
    if type(value) is dict:
        return {key: as_json_like(item) for key, item in value.items()}
    return value


def _scalar(kind: str, value: Value) -> Value:
    given = type(value)
    if given.__name__ == kind:
        return value
    try:
        if kind == "float" and given in (int, str):
            return float(value)
        if kind == "int" and given is str:
            return int(value)
    except (ValueError, OverflowError):
        pass
    if kind == "bool" and given is str and value.lower() in _TRUE | _FALSE:
        return value.lower() in _TRUE
    raise ValueError(f"takes {_NAMES[kind]}, not {_render(value)}")


_NAMES = {"int": "an int", "float": "a float", "bool": "true or false", "str": "a str"}


def _without_none(annotation: Any) -> tuple[Any, bool]:
    """Return an annotation without None, and whether None was one of its types."""
    if typing.get_origin(annotation) in _UNIONS:
        others = tuple(each for each in typing.get_args(annotation) if each is not type(None))
        if len(others) < len(typing.get_args(annotation)):
            return typing.Union[others], True  # noqa: UP007 - made of what was found
    return annotation, annotation is None or annotation is type(None)


def _read_type(annotation: Any) -> tuple[str, str, str, Callable[[Value], Any] | None]:
    """Return the type, the items' type, the JSON schema and the adapter that an annotation amounts to."""
    if _is_scalar(annotation):
        return SCALAR_TYPES[annotation], "", "", None
    origin, arguments = typing.get_origin(annotation) or annotation, typing.get_args(annotation)
    if origin is typing.Annotated and _is_scalar(arguments[0]):
        schema, adapter = _adapt(annotation)
        return SCALAR_TYPES[arguments[0]], "", schema, adapter
    if origin is list:
        if not arguments or arguments[0] is typing.Any:
            return "list", "", "", None
        if _is_scalar(arguments[0]):
            return "list", SCALAR_TYPES[arguments[0]], "", None
        schema, adapter = _adapt(arguments[0])
        return "list", "json", schema, adapter
    if origin is dict:
        if not arguments:
            return "dict", "", "", None
        schema, adapter = _adapt(annotation)
        return "dict", "", schema, adapter
    if annotation is typing.Any:
        return "json", "", "{}", None
    schema, adapter = _adapt(annotation)
    return "json", "", schema, adapter


def _is_scalar(annotation: Any) -> bool:
    return isinstance(annotation, type) and annotation in SCALAR_TYPES


def _adapt(annotation: Any) -> tuple[str, Callable[[Value], Any]]:
    """Return the JSON schema of an annotation, and what makes of a value that which it says."""
    import pydantic

    try:
        adapter: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(annotation)
        schema = json.dumps(adapter.json_schema())
    except (pydantic.errors.PydanticUserError, pydantic.errors.PydanticSchemaGenerationError) as error:
        raise ValueError(
            f"has the annotation {inspect.formatannotation(annotation)}, which nothing can be converted to "
            f"({str(error).splitlines()[0]}). Use int, float, bool, str, list, dict, Optional of them, or a pydantic "
            "model."
        ) from None

    def make(value: Value) -> Any:
        try:
            return adapter.validate_json(json.dumps(value))
        except pydantic.ValidationError as error:
            found = [
                f"{'.'.join(map(str, each['loc'])) + ': ' if each['loc'] else ''}{each['msg']}"
                for each in error.errors(include_url=False, include_context=False, include_input=False)
            ]
            raise ValueError(f"does not fit: {'; '.join(found)}") from None

    return schema, make


def _takes_text(schema: dict[str, Any]) -> bool:
    """Tell whether a string is among what a JSON schema asks for, so that a word needs no quotes."""
    return (
        schema.get("type") == "string"
        or any(type(each) is str for each in schema.get("enum", ()))
        or any(map(_takes_text, schema.get("anyOf", ())))
    )


def _evaluated(annotation: Any, method: Callable[..., Any]) -> Any:
    """Return an annotation that may be a string as what it says where the method is defined."""
    if not isinstance(annotation, str):
        return annotation
    try:
        return eval(annotation, getattr(inspect.unwrap(method), "__globals__", {}))  # noqa: S307 - what Python does too
    except Exception as error:
        raise ValueError(f"has the annotation {annotation!r}, which cannot be evaluated: {error}") from None


def _annotation(annotation: Any, module: str) -> str:
    text = inspect.formatannotation(annotation)
    return text.replace(f"{module}.", "") if module else text


def _as_value(default: Any) -> Value:
    """Return a default as a value; None if it cannot be one."""
    pydantic_core = sys.modules.get("pydantic_core")
    try:
        if pydantic_core is not None and type(default) not in (*SCALAR_TYPES, list, tuple, dict):
            default = pydantic_core.to_jsonable_python(default)
        validate(default)
    except (InvalidValueError, ValueError):
        return None
    return copy(default)


def _is_model(value: Any) -> bool:
    """Tell whether a value is a pydantic model; without importing pydantic."""
    pydantic = sys.modules.get("pydantic")
    return pydantic is not None and isinstance(value, pydantic.BaseModel)


def _render(value: Value) -> str:
    text = repr(value)
    return f"{text if len(text) <= 60 else text[:57] + '...'} ({describe_type(value)})"
