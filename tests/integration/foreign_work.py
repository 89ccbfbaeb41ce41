"""A Work that is no process of this package: a gRPC server that introduces itself and keeps a document, as told."""

from __future__ import annotations

import threading
from concurrent import futures

import grpc

from lightning_grpc.wire import codec
from lightning_grpc.wire.options import SERVER_OPTIONS
from lightning_grpc.wire.protocol import WORK_SERVICE, work_pb


class ForeignWork:
    """Serves one document that never changes.

    Args:
        variables: The Work's attributes.
        major: The protocol's version that it says it speaks.
        class_name: The class that it says it is of.
        malformed: So many of its streams carry bytes that are no frame.

    Attributes:
        address: Where.
        streams: How many streams were opened.
    """

    def __init__(self, variables, *, major=1, class_name="Foreign", malformed=0):
        self._document = {"vars": variables, "calls": {"latest_call_hash": None}}
        self._major = major
        self._class_name = class_name
        self._malformed = malformed
        self._lock = threading.Lock()
        self.streams = 0
        self._has_ended = threading.Event()
        self._server = grpc.server(futures.ThreadPoolExecutor(8, "foreign"), options=SERVER_OPTIONS)
        methods = {
            "Describe": grpc.unary_unary_rpc_method_handler(
                self._describe, work_pb.DescribeRequest.FromString, work_pb.DescribeResponse.SerializeToString
            ),
            "StateDelta": grpc.unary_stream_rpc_method_handler(
                self._stream, work_pb.StateDeltaRequest.FromString, bytes
            ),
        }
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(WORK_SERVICE, methods),))
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"

    def _describe(self, request, context):
        return work_pb.DescribeResponse(
            name="foreign",
            class_name=self._class_name,
            epoch=7,
            protocol_version=work_pb.ProtocolVersion(major=self._major, minor=3),
            attributes=[work_pb.Attribute(name=name, type="int") for name in self._document["vars"]],
            revision=1,
        )

    def _stream(self, request, context):
        with self._lock:
            self.streams += 1
            number = self.streams
        if number <= self._malformed:
            yield b"\xff\xff\xff"
        yield codec.frame_snapshot(7, 1, self._document)
        self._has_ended.wait()

    def __enter__(self):
        self._server.start()
        return self

    def __exit__(self, *_):
        self._has_ended.set()  # for streams that are about to begin, too
        self._server.stop(None).wait()
