"""What may be wrong with a machine, and what to do about it: judgements of facts, without looking for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

OK, WARNING, PROBLEM = "ok", "warning", "problem"

_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy")
_SOCKET_NAME_BYTES = len("/4194304-18446744073709-999/s")  # pid, start and number of an entry
_WORK_SOCKET_BYTES = len("/lightning-grpc-abcdefgh/99999")
_FEW_FILES, _TOO_FEW_FILES = 1024, 128


@dataclass(frozen=True)
class Observation:
    """What was found when something was looked at.

    Attributes:
        name: What was looked at.
        verdict: ``ok``, ``warning`` (something may surprise) or ``problem`` (something would go wrong).
        found: What was found, in words.
        advice: What to do; empty if nothing is to be done.
    """

    name: str
    verdict: str
    found: str
    advice: str = ""


def judge_python(version: tuple[int, int, int], implementation: str, *, has_gil: bool) -> Observation:
    """Judge the interpreter."""
    found = f"{implementation} {'.'.join(map(str, version))}"
    if implementation != "CPython":
        return Observation("python", PROBLEM, found, "run it with CPython: cuts of the state rest on how it works")
    if version < (3, 11):
        return Observation("python", PROBLEM, found, "install Python 3.11 or newer, and make a new environment with it")
    if not has_gil:
        return Observation(
            "python",
            PROBLEM,
            f"{found}, free-threaded, without its global lock",
            "use a build with the lock, or set PYTHON_GIL=1: without it no cut of the state is consistent",
        )
    return Observation("python", OK, found)


def judge_platform(system: str, *, has_proc: bool) -> Observation:
    """Judge the operating system."""
    if system != "Linux" or not has_proc:
        found = f"{system}{'' if has_proc else ' without /proc'}"
        return Observation("platform", PROBLEM, found, "run it on Linux with /proc mounted, in a container, say")
    return Observation("platform", OK, system)


def judge_package(name: str, installed: str | None, floor: str) -> Observation:
    """Judge the version of a package that is needed.

    Example:
        >>> judge_package("grpcio", "1.60.0", "1.76").verdict, judge_package("grpcio", "1.80.1", "1.76").verdict
        ('problem', 'ok')
    """
    if installed is None:
        return Observation(name, PROBLEM, "is not installed", f"pip install '{name}>={floor}'")
    if _numbers(installed) < _numbers(floor):
        return Observation(name, PROBLEM, f"{installed}, older than {floor}", f"pip install '{name}>={floor}'")
    return Observation(name, OK, installed)


def judge_generated_code(made_for: str, runtime: str, error: str) -> Observation:
    """Judge whether the generated protobuf code and the runtime fit; `error` is what loading it said."""
    if error:
        return Observation(
            "generated code",
            PROBLEM,
            f"made for protobuf {made_for}, cannot be loaded with {runtime}: {error}",
            f"pip install 'protobuf>={made_for}', and grpcio as pyproject.toml says",
        )
    return Observation("generated code", OK, f"made for protobuf {made_for}, loaded with {runtime}")


def judge_port(port: int, error: str, owner: str) -> Observation:
    """Judge the port that apps serve HTTP at by default; `owner` is the app of this user that has it."""
    name = f"port {port}"
    if owner:
        return Observation(name, WARNING, f"is that of {owner}", "give the next app another one: run app --port 0")
    if error:
        return Observation(name, PROBLEM, f"cannot be listened at: {error}", "give another one: run app --port 0")
    return Observation(name, OK, "is free")


def judge_loopback(error: str) -> Observation:
    """Judge whether this machine reaches itself; `error` is what trying that said."""
    if error:
        return Observation("loopback", PROBLEM, error, "bring the interface lo up, and let 127.0.0.1 pass the firewall")
    return Observation("loopback", OK, "127.0.0.1 answers")


def judge_proxies(environment: Mapping[str, str]) -> Observation:
    """Judge the settings of proxies."""
    given = {key.lower(): value for key, value in environment.items() if value}
    proxies = [name for name in _PROXIES if name in given]
    exempt = given.get("no_proxy", "")
    if not proxies:
        return Observation("proxies", OK, "none is set")
    if "127.0.0.1" in exempt or exempt.strip() == "*":
        return Observation("proxies", OK, f"{', '.join(proxies)}, not for 127.0.0.1")
    return Observation(
        "proxies",
        WARNING,
        f"{', '.join(proxies)}, for 127.0.0.1 too",
        "Works do not use them, but curl and browsers would: set no_proxy=127.0.0.1,localhost",
    )


def judge_grpc_variables(environment: Mapping[str, str]) -> Observation:
    """Judge the variables by which grpc is told to do what harms here."""
    fork = environment.get("GRPC_ENABLE_FORK_SUPPORT", "0")
    if fork.lower() not in ("", "0", "false", "no"):
        return Observation(
            "grpc settings",
            PROBLEM,
            f"GRPC_ENABLE_FORK_SUPPORT={fork}",
            "unset it: grpc's fork handlers hang a process that forks while it serves",
        )
    return Observation("grpc settings", OK, "nothing that harms")


def judge_socket_paths(registry: str, temporary: str, longest: int) -> Observation:
    """Judge whether the paths of sockets are short enough; both are directories, `longest` is in bytes."""
    lengths = {
        "XDG_RUNTIME_DIR": len(registry.encode()) + _SOCKET_NAME_BYTES,
        "TMPDIR": len(temporary.encode()) + _WORK_SOCKET_BYTES,
    }
    variable, length = max(lengths.items(), key=lambda item: item[1])
    if length > longest:
        return Observation(
            "socket paths",
            PROBLEM,
            f"up to {length} bytes, and {longest} are possible",
            f"set {variable} to a shorter path, for the apps and for their clients",
        )
    return Observation("socket paths", OK, f"up to {length} of {longest} bytes")


def judge_registry(path: str, error: str) -> Observation:
    """Judge the directory where running apps are found; `error` is what is wrong with it."""
    if error:
        return Observation("registry", PROBLEM, path, error)
    return Observation("registry", OK, path)


def judge_open_files(soft: int, hard: int) -> Observation:
    """Judge how many files a process may open; each Work takes an app a few."""
    found = f"{soft} at once" if soft >= 0 else "as many as one likes"
    if 0 <= soft < _TOO_FEW_FILES:
        return Observation(
            "open files", PROBLEM, found, f"ulimit -n {_FEW_FILES}" if hard >= _FEW_FILES else "ask root"
        )
    if 0 <= soft < _FEW_FILES:
        return Observation("open files", WARNING, found, f"enough for few Works; for more: ulimit -n {_FEW_FILES}")
    return Observation("open files", OK, found)


def judge_clock(now: datetime, *, has_time_zones: bool) -> Observation:
    """Judge the clock, by which schedules fire and statuses are dated."""
    found = f"{now:%Y-%m-%d %H:%M:%S} UTC"
    if now.year < 2025:
        return Observation("clock", PROBLEM, found, "set it: schedules fire by it, and certificates are not yet valid")
    if not has_time_zones:
        return Observation("clock", WARNING, f"{found}, no time zones", "for schedules in zones: pip install tzdata")
    return Observation("clock", OK, found)


def judge_terminal(environment: Mapping[str, str], encoding: str) -> Observation:
    """Judge what the terminal can show."""
    kind = environment.get("TERM", "")
    words = [f"TERM={kind or '(none)'}", encoding or "no encoding"]
    words += ["NO_COLOR"] if environment.get("NO_COLOR") else []
    found = ", ".join(words)
    if encoding.lower().replace("-", "") != "utf8":
        return Observation("terminal", WARNING, found, "signs are shown as letters; for more: export LANG=C.UTF-8")
    if kind in ("", "dumb"):
        return Observation("terminal", WARNING, found, "nothing moves and nothing is coloured there")
    return Observation("terminal", OK, found)


def judge_command(on_path: str | None, own: str) -> Observation:
    """Judge whether the command that a shell finds is that of this environment; both are paths."""
    if on_path is None:
        return Observation(
            "command", WARNING, f"not on PATH; it is {own}", "activate its environment, or give this path"
        )
    if on_path != own:
        return Observation("command", WARNING, f"{on_path}, not {own}", "a shell starts another one: look at PATH")
    return Observation("command", OK, on_path)


def worst(observations: Sequence[Observation]) -> str:
    """Return the worst verdict of some observations."""
    verdicts = {each.verdict for each in observations}
    return next((verdict for verdict in (PROBLEM, WARNING) if verdict in verdicts), OK)


def _numbers(version: str) -> tuple[int, ...]:
    """Return the numbers of a version, without zeros at its end and without what follows them."""
    numbers: list[int] = []
    for part in version.split("."):
        digits = part[: next((index for index, letter in enumerate(part) if not letter.isdigit()), len(part))]
        if not digits:
            break
        numbers.append(int(digits))
        if digits != part:
            break
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)
