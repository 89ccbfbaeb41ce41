"""What ``run app --at`` takes, and what it refuses."""

from __future__ import annotations

import pytest

import lightning_grpc as L
from lightning_grpc.cli.attach import attach_works
from lightning_grpc.errors import ConfigurationError


class Work(L.LightningWork):
    """Does nothing."""

    def run(self):
        """Do it."""


class Root(L.LightningFlow):
    """Has two Works."""

    def __init__(self):
        super().__init__()
        self.a = Work()
        self.items = L.structures.List(Work())

    def run(self):
        """Do nothing."""


@pytest.fixture
def app():
    return L.LightningApp(Root())


def test_works_are_attached_by_their_names_with_the_same_credentials(app):
    options = {"tls_ca": "ca.crt", "tls_cert": None, "tls_server_name": "", "token_file": "token"}
    attach_works(app, ["root.a=host:1", "root.items.0=unix:/run/w#name"], options)
    first, second = app.root.a.attachment, app.root.items[0].attachment
    assert (first.address, second.address) == ("host:1", "unix:/run/w#name")
    assert (first.tls_ca, first.token_file, second.tls_ca) == ("ca.crt", "token", "ca.crt")


def test_an_address_may_have_an_equals_sign(app):
    attach_works(app, ["root.a=unix:/run/a=b"], {})
    assert app.root.a.attachment.address == "unix:/run/a=b"


@pytest.mark.parametrize(
    ("attachments", "credentials", "words"),
    [
        (["root.x=host:1"], {}, "it has: root.a, root.items.0"),
        (["root.items=host:1"], {}, "no Work 'root.items'"),
        (["root.a"], {}, "WORK=ADDRESS"),
        (["root.a="], {}, "WORK=ADDRESS"),
        (["=host:1"], {}, "WORK=ADDRESS"),
        (["root.a=nowhere"], {}, "is no address"),
        (["root.a=host:99999"], {}, "is no address"),
        ([], {"tls_ca": "ca.crt", "token_file": None}, "--tls-ca: only for the services of --at"),
    ],
)
def test_what_has_no_meaning_is_refused(app, attachments, credentials, words):
    with pytest.raises(ConfigurationError, match=words):
        attach_works(app, attachments, credentials)
    assert app.root.a.attachment is None
