"""What the built-in routes take and give, in JSON."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StrictInt, StrictStr

from lightning_grpc.http.rendering import from_json
from lightning_grpc.state.delta import Change, Delete, Set, Splice

Path = Annotated[
    list[StrictStr | StrictInt],
    Field(
        min_length=1,
        max_length=100,
        description="The keys that lead there, such as `['flows', 'child', 'vars', 'n']`.",
        examples=[["vars", "n"]],
    ),
]


class SetChange(BaseModel):
    """A key of a dict, or an index of a list, gets a value."""

    op: Literal["set"]
    path: Path
    value: Any = Field(description="The value, as `GET /api/v1/state` would show it.")

    def read(self) -> Change:
        """Return the change."""
        return Set(tuple(self.path), from_json(self.value))


class DeleteChange(BaseModel):
    """A key of a dict goes."""

    op: Literal["delete"]
    path: Path

    def read(self) -> Change:
        """Return the change."""
        return Delete(tuple(self.path))


class SpliceChange(BaseModel):
    """In the list at the path, from the index on, some items give way to others."""

    op: Literal["splice"]
    path: Path
    index: StrictInt = Field(ge=0)
    removed: StrictInt = Field(default=0, ge=0)
    items: list[Any] = Field(default_factory=list)

    def read(self) -> Change:
        """Return the change."""
        return Splice(tuple(self.path), self.index, self.removed, [from_json(item) for item in self.items])


Base = Annotated[
    StrictInt,
    Field(
        ge=0,
        description="The revision at which you saw what you change: if it has changed since, nothing is done (409). "
        "0: whatever there is.",
    ),
]


class DeltaUpdate(BaseModel):
    """Changes of declared attributes: all of them are made, or none."""

    changes: list[Annotated[SetChange | DeleteChange | SpliceChange, Field(discriminator="op")]]
    base_revision: Base = 0


class StateUpdate(BaseModel):
    """A state as `GET /api/v1/state` returns it, or a part of it, with other values of declared attributes.

    Only `vars` are looked at; what is left out stays as it is.
    """

    state: dict[str, Any]
    base_revision: Base = 0


class Updated(BaseModel):
    """The revision that shows an update."""

    revision: int


class Health(BaseModel):
    """Whether the app runs."""

    stage: str
    revision: int


class Code(BaseModel):
    """A URL that lets a browser in, once."""

    url: str


class Problem(BaseModel):
    """What is wrong, in words."""

    detail: str


class ComponentSpec(BaseModel):
    """A component of the tree."""

    name: str
    kind: Literal["flow", "work"]
    class_name: str
    attributes: list[str]


class ParameterSpec(BaseModel):
    """A parameter of a command."""

    name: str
    type: str
    required: bool
    default: Any


class CommandSpec(BaseModel):
    """A command that a Flow offers."""

    name: str
    description: str
    flow: str
    parameters: list[ParameterSpec]


class RouteSpec(BaseModel):
    """A route that a Flow declares."""

    method: str
    path: str
    handler: str
    flow: str | None


class Spec(BaseModel):
    """What the app consists of and offers."""

    name: str
    epoch: str
    components: list[ComponentSpec]
    commands: list[CommandSpec]
    routes: list[RouteSpec]
