"""The wire: how values and frames become protobuf messages, and how channels and servers are set up.

What belongs here: everything that knows the generated code, and every gRPC option. ``grpc.RpcError``
does not leave this room; callers see the package's own errors.
"""

import os

# Both are read when grpc is first imported. Its fork handlers crash or hang a process that forks while its
# loop runs, as multiprocessing in a user's run does; and it tells on stderr of every peer that went away.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
