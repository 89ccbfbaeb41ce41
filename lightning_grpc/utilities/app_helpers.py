"""`pretty_state`, and the state of a whole tree, where users of Lightning Apps look for them."""

from lightning_grpc.components.flow import collect_state as _state_dict
from lightning_grpc.components.flow import reload_state as _load_state_dict
from lightning_grpc.components.pretty import pretty_state

__all__ = ["_load_state_dict", "_state_dict", "pretty_state"]
