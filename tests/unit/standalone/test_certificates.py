"""The files that make a lab's servers and clients trust one another."""

from __future__ import annotations

import datetime as dt
import json
import os
import ssl
from pathlib import Path

import pytest
from click.testing import CliRunner
from command_lines import line

from lightning_grpc.cli.main import main
from lightning_grpc.errors import ConfigurationError
from lightning_grpc.standalone.certificates import make_trust_files, own_hosts
from lightning_grpc.wire.certificate_facts import read_certificates
from lightning_grpc.wire.credentials import ClientTls, ServerTls, read_token


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, host: str) -> None:
    """Let two ends shake hands in memory; raises what the first of them that is not content says."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname=host),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(10):
        waiting = 0
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                waiting += 1
        if not waiting:
            return
    raise AssertionError("they never finished")


def server_context(files, *, asks=False):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.server_certificate, files.server_key)
    if asks:
        context.load_verify_locations(files.ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def strict_client_context(files, *, certificate=None, key=None):
    context = ssl.create_default_context(cafile=files.ca)
    context.verify_flags |= ssl.VERIFY_X509_STRICT  # the default from Python 3.13 on
    if certificate is not None:
        context.load_cert_chain(certificate, key)
    return context


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return make_trust_files(tmp_path_factory.mktemp("trust") / "made", ["10.0.0.7", "trainer.example.org"])


@pytest.mark.parametrize("host", [*own_hosts(), "10.0.0.7", "trainer.example.org"])
def test_a_client_that_is_strict_trusts_the_server_by_each_of_its_names(files, host):
    handshake(server_context(files), strict_client_context(files), host)


def test_a_server_that_asks_for_certificates_trusts_the_clients(files):
    client = strict_client_context(files, certificate=files.client_certificate, key=files.client_key)
    handshake(server_context(files, asks=True), client, "localhost")


def test_the_servers_certificate_does_not_make_a_client_nor_the_clients_a_server(files):
    as_client = strict_client_context(files, certificate=files.server_certificate, key=files.server_key)
    with pytest.raises(ssl.SSLError, match="certificate"):
        handshake(server_context(files, asks=True), as_client, "localhost")
    as_server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    as_server.load_cert_chain(files.client_certificate, files.client_key)
    client = strict_client_context(files)
    client.check_hostname = False
    with pytest.raises(ssl.SSLCertVerificationError, match="purpose"):
        handshake(as_server, client, "localhost")


def test_two_authorities_do_not_trust_each_others_certificates(files, tmp_path):
    other = make_trust_files(tmp_path / "other")
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(server_context(files), strict_client_context(other), "localhost")


def test_all_files_are_their_owners_alone_whatever_the_umask_says(tmp_path):
    before = os.umask(0)
    try:
        files = make_trust_files(tmp_path / "a" / "b")
    finally:
        os.umask(before)
    assert files.directory.stat().st_mode & 0o777 == 0o700
    made = sorted(files.directory.iterdir())
    assert [file.name for file in made] == [
        "ca.crt", "ca.key", "client.crt", "client.key", "server.crt", "server.key", "token",
    ]  # fmt: skip
    assert {file.stat().st_mode & 0o777 for file in made} == {0o600}


def test_the_files_are_what_servers_and_clients_take(files):
    assert ServerTls(files.server_certificate, files.server_key, files.ca).load() is not None
    assert ClientTls(files.ca, files.client_certificate, files.client_key).load() is not None
    assert len(read_token(files.token)) >= 32


def test_nothing_is_replaced_unless_it_is_said(tmp_path):
    files = make_trust_files(tmp_path / "made")
    before = {file.name: file.read_bytes() for file in files.directory.iterdir()}
    with pytest.raises(ConfigurationError, match=r"ca\.crt, ca\.key.*would be replaced.*--force"):
        make_trust_files(files.directory)
    assert {file.name: file.read_bytes() for file in files.directory.iterdir()} == before
    make_trust_files(files.directory, overwrite=True)
    after = {file.name: file.read_bytes() for file in files.directory.iterdir()}
    assert after.keys() == before.keys()
    assert all(after[name] != before[name] for name in before)


def test_a_single_file_of_earlier_is_enough_to_be_refused_a_dangling_link_too(tmp_path):
    directory = tmp_path / "made"
    directory.mkdir(mode=0o700)
    (directory / "server.key").symlink_to("/nowhere/at/all")
    with pytest.raises(ConfigurationError, match=r"server\.key would be replaced"):
        make_trust_files(directory)


def test_a_directory_that_others_may_look_into_is_refused(tmp_path):
    directory = tmp_path / "open"
    directory.mkdir()
    directory.chmod(0o755)
    with pytest.raises(ConfigurationError, match="chmod 700"):
        make_trust_files(directory)
    assert list(directory.iterdir()) == []


def test_a_directory_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="no directory can be made"):
        make_trust_files(tmp_path / "file" / "made")


@pytest.mark.parametrize(
    "host", ["", "10.0.0.7:50051", "a b", "http://a", "-a", "a..b", "10.0.0.300", "[::1]", "ä.de", "a" * 64, "*."]
)
def test_what_is_no_host_is_refused_before_anything_is_made(tmp_path, host):
    with pytest.raises(ConfigurationError, match="is no host"):
        make_trust_files(tmp_path / "made", [host])
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("days", [0, -1, 3651])
def test_certificates_hold_for_a_sensible_time(tmp_path, days):
    with pytest.raises(ConfigurationError, match="1 to 3650 days"):
        make_trust_files(tmp_path / "made", days=days)


def test_what_a_certificate_says_of_itself_is_read(files):
    (server,) = read_certificates(files.server_certificate)
    (ca,) = read_certificates(files.ca)
    (client,) = read_certificates(files.client_certificate)
    assert (server.subject, server.uses) == ("CN=lightning-grpc server", ("server",))
    assert server.names == (*own_hosts(), "10.0.0.7", "trainer.example.org")
    assert (client.uses, client.names) == (("client",), ())
    assert ca.uses == ("authority",)
    assert server.issuer == client.issuer == ca.subject == ca.issuer
    assert len({server.fingerprint, client.fingerprint, ca.fingerprint}) == 3
    assert server.validity(server.begin) == server.validity(server.end) == "valid"
    second = dt.timedelta(seconds=1)
    assert server.validity(server.begin - second) == "not yet valid"
    assert server.validity(server.end + second) == "expired"


def test_several_certificates_in_one_file_are_all_read(files, tmp_path):
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(files.server_certificate.read_bytes() + files.ca.read_bytes())
    assert [each.uses for each in read_certificates(bundle)] == [("server",), ("authority",)]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no certificate in it"),
        (b"-----BEGIN PRIVATE KEY-----\nMIGH\n-----END PRIVATE KEY-----\n", "not shown to anybody"),
        (b"-----BEGIN CERTIFICATE-----\nMIGH\n-----END CERTIFICATE-----\n", "is broken"),
    ],
)
def test_a_file_without_a_readable_certificate_is_refused(tmp_path, content, words):
    (tmp_path / "file.pem").write_bytes(content)
    with pytest.raises(ConfigurationError, match=words) as refused:
        read_certificates(tmp_path / "file.pem")
    assert "MIGH" not in str(refused.value)


def command(*arguments):
    return CliRunner().invoke(main, ["tls", *map(str, arguments)])


def test_the_command_makes_the_files_and_says_what_to_type_next(tmp_path):
    done = command("init", tmp_path / "made", "--host", "trainer.example.org", "--days", "7")
    assert done.exit_code == 0
    for words in ("--tls-cert", "--tls-key", "--token-file", "--tls-client-ca", "--tls-ca", "trainer.example.org"):
        assert words in done.output
    token = (tmp_path / "made" / "token").read_text().strip()
    assert token not in done.output
    (server,) = read_certificates(tmp_path / "made" / "server.crt")
    assert (server.end - server.begin).days == 7
    again = command("init", tmp_path / "made")
    assert again.exit_code == 1
    assert again.output.startswith("ERROR: ")
    assert command("init", tmp_path / "made", "--force").exit_code == 0


def test_the_command_shows_a_certificate_and_its_exit_code_tells_whether_it_is_valid(files, tmp_path):
    shown = command("show", files.server_certificate)
    assert shown.exit_code == 0
    assert "trainer.example.org" in shown.output
    assert "(valid)" in shown.output
    (as_json,) = json.loads(command("show", "--json", files.server_certificate).output)
    assert as_json["uses"] == ["server"]
    assert as_json["validity"] == "valid"
    old = make_trust_files(tmp_path / "old", days=1, now=dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
    expired = command("show", old.server_certificate)
    assert expired.exit_code == 1
    assert "(expired)" in expired.output
    missing = command("show", Path("/nowhere/at/all"))
    assert missing.exit_code == 2
    assert (
        missing.output
        == "ERROR: /nowhere/at/all: cannot be read: No such file or directory; give a PEM file with certificates\n"
    )


def test_the_command_tells_programs_what_it_has_made(tmp_path):
    done = line("tls", "init", tmp_path / "made", "--json")
    assert (done.exit_code, done.stderr) == (0, "")
    made = json.loads(done.stdout)
    assert (made["schema"], made["directory"]) == ("lightning-grpc/trust-files/1", str(tmp_path / "made"))
    assert "localhost" in made["hosts"]
    assert made["files"] == sorted(each.name for each in (tmp_path / "made").iterdir())


def test_the_files_are_data_and_what_to_type_next_is_words(tmp_path):
    done = line("tls", "init", tmp_path / "made")
    assert {Path(each) for each in done.stdout.splitlines()} == set((tmp_path / "made").iterdir())
    assert "--token-file" in done.stderr
