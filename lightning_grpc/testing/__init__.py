"""What tests of apps need: components that do nothing, and connections that fail on request.

What belongs here: what a project that uses lightning_grpc may import into its own tests. No part of the
package needs it to run.

Example:
    >>> from lightning_grpc.runtimes.local import LocalRuntime
    >>> runtime = ProxiedRuntime(LocalRuntime())  # give it to LightningApp.run
    >>> runtime.proxies  # by the name of the Work, once its process serves
    {}
"""

from lightning_grpc.testing.components import EmptyFlow, EmptyWork
from lightning_grpc.testing.fault_proxy import FaultProxy
from lightning_grpc.testing.proxied_runtime import ProxiedRuntime

__all__ = ["EmptyFlow", "EmptyWork", "FaultProxy", "ProxiedRuntime"]
