"""The wire: how values and frames become protobuf messages, and how channels and servers are set up.

What belongs here: everything that knows the generated code, and every gRPC option. ``grpc.RpcError``
does not leave this room; callers see the package's own errors.
"""
