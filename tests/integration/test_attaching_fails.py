"""What keeps a Work from being attached, and what the operator is told."""

from __future__ import annotations

import contextlib
import subprocess
import sys

import pytest
from attached_apps import DEADLINE_S, Root, running
from foreign_work import ForeignWork
from served_works import SMALL, serving
from small_work import Counter, Echo

import lightning_grpc as L
from lightning_grpc.errors import ConfigurationError, ProtocolError, TransportError
from lightning_grpc.standalone.certificates import make_trust_files

TOKEN = "0123456789abcdef"
OTHER = "fedcba9876543210"


class MoreCounter(Counter):
    """A later version of the class than the one that is served."""

    def __init__(self):
        super().__init__()
        self.added = 0


MoreCounter.__name__ = "Counter"


@pytest.fixture(scope="module")
def trust(tmp_path_factory):
    """The files of a lab, and of another one."""
    return [make_trust_files(tmp_path_factory.mktemp(name), hosts=["localhost", "127.0.0.1"]) for name in ("a", "b")]


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A service with a token, in plain text."""
    file = token_file(tmp_path_factory.mktemp("token") / "token", TOKEN)
    with serving(f"{SMALL}:Counter", "--token-file", file) as served:
        yield served


@pytest.fixture(scope="module")
def secured(trust):
    """A service with TLS."""
    lab = trust[0]
    with serving(f"{SMALL}:Counter", "--tls-cert", lab.server_certificate, "--tls-key", lab.server_key) as served:
        yield served


@pytest.fixture(scope="module")
def mutual(trust):
    """A service that wants a certificate of its clients."""
    lab = trust[0]
    options = ("--tls-cert", lab.server_certificate, "--tls-key", lab.server_key, "--tls-client-ca", lab.ca)
    with serving(f"{SMALL}:Counter", *options) as served:
        yield served


def token_file(path, token):
    path.write_text(token)
    path.chmod(0o600)
    return path


def outcome(work):
    """What an app that is attached to something ends with."""
    with running(Root(work, (1,))) as app:
        error = app.join()
    assert work.status.reason == "attach_failed"
    assert str(error) in work.status.message or work.status.message in str(error)
    return error


def refused(work, *words):
    """Assert that the app ends with an error that says some words."""
    error = outcome(work)
    assert isinstance(error, ConfigurationError)
    for word in ("root.w", *words):
        assert word in str(error)


def test_nothing_is_there():
    with serving(f"{SMALL}:Counter") as served:
        pass
    error = outcome(Counter().at(served.address, lost_after_s=0.5))
    while "no sign of life" in str(error):  # too little time to learn why: the machine is busy
        error = outcome(Counter().at(served.address, lost_after_s=0.5))
    assert isinstance(error, ConfigurationError)
    for words in ("root.w", served.address, "nobody listens", "on_lost='wait'"):
        assert words in str(error)
    with pytest.raises(TransportError, match="start the service first"):
        L.RemoteWork(served.address, deadline_s=0.2)


def test_another_class_is_there(plain):
    refused(Echo().at(plain.address, token=TOKEN), "is of class Echo", "of class Counter", "RemoteWork")


def test_the_service_lacks_attributes(plain):
    refused(MoreCounter().at(plain.address, token=TOKEN), "added", "another version of the class")


def test_the_token_is_missing_or_wrong(plain):
    refused(Counter().at(plain.address), "token", "UNAUTHENTICATED")
    refused(Counter().at(plain.address, token=OTHER), "token", "UNAUTHENTICATED")
    with pytest.raises(ConfigurationError, match="token"):
        L.RemoteWork(plain.address, token=OTHER)


def test_what_no_call_can_carry_is_no_token(plain):
    words = "text of printable ASCII characters without spaces and line ends"
    for token in (f"{TOKEN}\n", "é", "two words", 5):
        refused(Counter().at(plain.address, token=token), words)
        with pytest.raises(ConfigurationError, match=words):
            L.RemoteWork(plain.address, token=token)
        with pytest.raises(ConfigurationError, match=words), L.WorkClient(plain.address, token=token) as client:
            client.describe()
        with pytest.raises(ConfigurationError, match=words):
            L.serve(Counter(), bind="127.0.0.1:0", token=token)


def test_the_token_lets_in(plain, tmp_path):
    work = Counter().at(plain.address, token_file=token_file(tmp_path / "token", TOKEN))
    with running(Root(work, (1,))) as app:
        app.until(lambda: work.has_succeeded)


def test_a_token_file_that_others_may_read_is_refused(plain, tmp_path):
    file = token_file(tmp_path / "token", TOKEN)
    file.chmod(0o644)
    refused_file = outcome(Counter().at(plain.address, token_file=file))
    assert f"chmod 600 {file}" in str(refused_file)


def test_tls_lets_in(secured, trust):
    address = secured.address.replace("127.0.0.1", "localhost")
    work = Counter().at(address, tls_ca=trust[0].ca)
    with running(Root(work, (1,))) as app:
        app.until(lambda: work.has_succeeded)


def test_tls_is_needed_or_is_not_there_or_the_certificate_is_of_another_ca_or_host(secured, plain, mutual, trust):
    ca, other = trust[0].ca, trust[1]
    stranger = {"tls_cert": other.client_certificate, "tls_key": other.client_key}
    attempts = [
        (secured, {}, "speaks TLS, and the call was made in plain text"),
        (plain, {"tls_ca": ca}, "does not speak TLS"),
        (secured, {"tls_ca": trust[1].ca}, f"not in {trust[1].ca}"),
        (secured, {"tls_ca": ca, "tls_server_name": "elsewhere"}, "not for elsewhere"),
        (mutual, {"tls_ca": ca}, "want a certificate of the client (mTLS), and none was given"),
        (mutual, {"tls_ca": ca, **stranger}, f"does not accept the certificate {other.client_certificate}"),
    ]
    roots = [Root(Counter().at(served.address, on_lost="wait", **options)) for served, options, _ in attempts]
    with contextlib.ExitStack() as stack:
        apps = [stack.enter_context(running(root)) for root in roots]
        for app, (served, _, words) in zip(apps, attempts, strict=True):
            error = app.join()
            assert isinstance(error, ConfigurationError)
            assert all(each in str(error) for each in ("root.w", served.address, words)), error
            assert app.status.reason == "attach_failed"


def test_a_remote_work_that_cannot_be_reached_as_things_are_is_not_waited_for(secured, trust):
    with pytest.raises(TransportError, match="speaks TLS, and the call was made in plain text") as info:
        L.RemoteWork(secured.address, deadline_s=3600.0)
    assert info.value.is_lasting
    with pytest.raises(TransportError, match="is signed by"):
        L.RemoteWork(secured.address, tls_ca=trust[1].ca, deadline_s=3600.0)


def test_the_work_that_is_meant_is_not_there_or_not_named():
    with serving(None, "--work", f"{SMALL}:Counter", "--work", f"{SMALL}:Echo") as served:
        names = [work["name"] for work in served.works]
        for address in (served.address, f"{served.address}#nobody"):
            with pytest.raises(ProtocolError) as info:
                L.RemoteWork(address)
            assert all(name in str(info.value) for name in names)


def test_the_service_speaks_another_version_of_the_protocol():
    with ForeignWork({"counter": 1}, major=2, class_name="Counter") as foreign:
        refused(Counter().at(foreign.address), foreign.address, "speaks protocol 2.3", "this side 1.")
        with pytest.raises(ProtocolError, match=r"speaks protocol 2\.3"):
            L.RemoteWork(foreign.address)


def test_a_work_in_another_language_needs_nothing_that_is_of_this_package():
    with ForeignWork({"counter": 4}) as foreign:
        work = L.RemoteWork(foreign.address, start_with_flow=True)
        with running(Root(work)) as app:
            app.until(lambda: [known.revision for known in app.app.metrics.works.values()] == [1])
            assert (work.counter, work.url, work.status.stage) == (4, "", "not_started")


def test_an_attribute_that_means_something_else_here_is_told():
    with ForeignWork({"status": 4}) as foreign, pytest.raises(ConfigurationError, match="has an attribute status"):
        L.RemoteWork(foreign.address)


def test_what_is_there_is_no_work(tmp_path):
    import http.server
    import threading

    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    thread = threading.Thread(target=server.serve_forever, name="http", daemon=True)
    thread.start()
    try:
        with pytest.raises(TransportError, match="is no gRPC server; check the port"):
            L.RemoteWork(f"127.0.0.1:{server.server_port}", deadline_s=3600.0)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


APP = """
import sys
sys.path.insert(0, {here!r})
import lightning_grpc as L
from small_work import Counter

class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.w = Counter()

    def run(self):
        self.w.run(3)
        if self.w.has_succeeded:
            print("counted to", self.w.counter, flush=True)
            self.stop()

app = L.LightningApp(Root())
"""


def run_app(tmp_path, *options):
    file = tmp_path / "app.py"
    file.write_text(APP.format(here=SMALL.rpartition("/")[0]))
    return subprocess.run(
        [sys.executable, "-m", "lightning_grpc", "run", "app", str(file), "--no-server", *map(str, options)],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


def test_a_work_is_attached_from_outside_with_what_it_takes_to_get_in(plain, tmp_path):
    before = L.RemoteWork(plain.address, token=TOKEN).counter
    file = token_file(tmp_path / "token", TOKEN)
    attached = run_app(tmp_path, "--at", f"root.w={plain.address}", "--token-file", file)
    assert (attached.returncode, attached.stdout) == (0, f"counted to {before + 3}\n"), attached.stderr


def test_an_attachment_that_has_no_meaning_is_refused_before_the_app_runs(tmp_path):
    done = run_app(tmp_path, "--at", "root.x=127.0.0.1:1")
    assert done.returncode == 1
    assert "it has: root.w" in done.stderr
    assert "Your app has started" not in done.stderr
