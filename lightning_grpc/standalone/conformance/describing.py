"""Rules of what a Work says of itself."""

from __future__ import annotations

from lightning_grpc.standalone.conformance.probe import Probe
from lightning_grpc.standalone.conformance.rules import Broken, rule
from lightning_grpc.wire.protocol import PROTOCOL_MAJOR, PROTOCOL_MINOR

_GROUP = "description"
_TRIES = 5


@rule("describe-has-all-fields", _GROUP, "Describe tells name, class, epoch, revision and signature.", "workservice")
async def _has_all_fields(probe: Probe) -> None:
    told = await probe.describe()
    missing = [
        field for field in ("name", "class_name", "epoch", "run_signature", "revision") if not getattr(told, field)
    ]
    if missing:
        raise Broken(f"Describe leaves {', '.join(missing)} empty")


@rule(
    "describe-speaks-this-version", _GROUP, "Describe tells a version of the protocol with this major.", "workservice"
)
async def _speaks_this_version(probe: Probe) -> None:
    version = (await probe.describe()).protocol_version
    if version.major != PROTOCOL_MAJOR:
        raise Broken(
            f"it speaks protocol {version.major}.{version.minor}; this suite checks {PROTOCOL_MAJOR}.{PROTOCOL_MINOR}"
        )


@rule("describe-is-stable", _GROUP, "Who a Work is does not change while its epoch lasts.", "workservice")
async def _is_stable(probe: Probe) -> None:
    first, second = await probe.describe(), await probe.describe()
    for field in ("name", "class_name", "epoch", "run_signature", "protocol_version"):
        if getattr(first, field) != getattr(second, field):
            raise Broken(f"{field} was {getattr(first, field)!r}, and then {getattr(second, field)!r}")
    if second.revision < first.revision:
        raise Broken(f"revision went back from {first.revision} to {second.revision}")


@rule(
    "describe-lists-the-attributes",
    _GROUP,
    "Describe lists the attributes of the state, each with a type.",
    "workservice",
)
async def _lists_the_attributes(probe: Probe) -> None:
    listed: list[str] = []
    shown: list[str] = []
    for _ in range(_TRIES):  # attributes may come and go in between
        told = await probe.describe()
        async with probe.subscribe() as feed:
            document = await feed.until_snapshot(probe.patience.answer_s)
        listed = sorted(each.name for each in told.attributes)
        shown = sorted(str(name) for name in document.get("vars", {}) if not str(name).startswith("_"))
        untyped = [each.name for each in told.attributes if not each.type]
        if untyped:
            raise Broken(f"Describe tells no type of {', '.join(untyped)}")
        if listed == shown:
            return
    raise Broken(f"Describe lists {listed}, the state has {shown}")
