"""The admin service: what gRPC itself knows of its channels, servers and sockets (channelz).

It is for the person who looks for the reason of a problem with connections, and tells where all peers of the process
are: a server has it only if it is asked for (``--admin``), and behind the token like everything else. Of the services
that make up "gRPC admin", the one for xDS is left out: this package configures no xDS server.
"""

from __future__ import annotations

import grpc

from lightning_grpc.errors import ConfigurationError

OPTIONS = [("grpc.enable_channelz", 1)]
"""What a server or channel needs, to be known to it."""


def add_admin(server: grpc.aio.Server) -> str:
    """Add the admin service to a server, and return its full name.

    Raises:
        ConfigurationError: The package for it is not installed.
    """
    try:
        from grpc_channelz.v1 import channelz, channelz_pb2
    except ImportError as error:
        raise ConfigurationError(
            f"the admin service needs a package that is not there ({error}): pip install 'lightning-grpc[admin]'"
        ) from None
    channelz.add_channelz_servicer(server)
    return str(channelz_pb2.DESCRIPTOR.services_by_name["Channelz"].full_name)
