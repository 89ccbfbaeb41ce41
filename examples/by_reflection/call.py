"""Calls any method of any gRPC server by reflection alone, and prints each answer as a line of JSON.

Usage: python call.py ADDRESS [METHOD [JSON]] [--token-file FILE] [--tls-ca FILE] [--timeout-s SECONDS]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import json_format, message_factory
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase


class WithToken(
    grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor, grpc.StreamStreamClientInterceptor
):
    """Puts a token into the metadata of every call, those of reflection too."""

    def __init__(self, token: str) -> None:
        self._metadata = [("authorization", f"Bearer {token}")]

    def _go_on(self, go_on: Callable[..., Any], details: Any, request: Any) -> Any:
        return go_on(details._replace(metadata=self._metadata), request)

    intercept_unary_unary = intercept_unary_stream = intercept_stream_stream = _go_on


def answers(channel: grpc.Channel, method_name: str, text: str, timeout_s: float | None) -> Iterator[Any]:
    """Yield what a method such as ``package.Service/Method`` answers to a request in JSON."""
    pool = DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
    service, _, name = method_name.partition("/")
    method = pool.FindServiceByName(service).methods_by_name[name]
    request = json_format.Parse(text, message_factory.GetMessageClass(method.input_type)(), descriptor_pool=pool)
    call = (channel.unary_stream if method.server_streaming else channel.unary_unary)(
        f"/{method_name}",
        request_serializer=type(request).SerializeToString,
        response_deserializer=message_factory.GetMessageClass(method.output_type).FromString,
    )(request, timeout=timeout_s)
    yield from call if method.server_streaming else [call]


def methods(channel: grpc.Channel) -> Iterator[str]:
    """Yield all methods that the server tells of."""
    database = ProtoReflectionDescriptorDatabase(channel)
    pool = DescriptorPool(database)
    for service in database.get_services():
        yield from (f"{service}/{method.name}" for method in pool.FindServiceByName(service).methods)


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("address", help="HOST:PORT or unix:PATH")
    parser.add_argument("method", nargs="?", help="such as lightning_grpc.v1.WorkService/Describe; none to list all")
    parser.add_argument("request", nargs="?", default="{}", help="its fields, as JSON")
    parser.add_argument("--token-file", type=Path, help="the token that the server was started with")
    parser.add_argument("--tls-ca", type=Path, help="the certificates that the server's must be signed by")
    parser.add_argument("--timeout-s", type=float, help="when to give up; never, unless given")
    given = parser.parse_args()
    if given.tls_ca:
        channel = grpc.secure_channel(given.address, grpc.ssl_channel_credentials(given.tls_ca.read_bytes()))
    else:
        channel = grpc.insecure_channel(given.address, [("grpc.enable_http_proxy", 0)])
    if given.token_file:
        channel = grpc.intercept_channel(channel, WithToken(given.token_file.read_text().strip()))
    try:
        if given.method is None:
            print(*methods(channel), sep="\n", flush=True)
            return
        for answer in answers(channel, given.method, given.request, given.timeout_s):
            print(json.dumps(json_format.MessageToDict(answer)), flush=True)
    except grpc.RpcError as error:
        sys.exit(f"{error.code().name}: {error.details()}")
    except KeyError as error:
        sys.exit(f"the server tells of nothing called {given.method}: {error}")
    except json_format.ParseError as error:
        sys.exit(f"the request does not fit {given.method}: {error}")


if __name__ == "__main__":
    main()
