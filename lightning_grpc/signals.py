"""How a Flow's ``run`` is left early. These are no errors, and no ``Exception``s.

::

    FlowSignal (BaseException)
     +-- FlowSuspended                  a blocking Work has not finished
     +-- ExitAppException               ``stop()``
     +-- LightningFlowException         ``fail()``
"""

from __future__ import annotations


class FlowSignal(BaseException):
    """Leaves a Flow's ``run`` early; not an ``Exception``, so that user code does not swallow it."""


class FlowSuspended(FlowSignal):
    """A blocking Work was called and has not finished; the run starts again when it has."""


class ExitAppException(FlowSignal):
    """A Flow called ``stop()``: the app ends well."""


class LightningFlowException(FlowSignal):
    """A Flow called ``fail()``: the app ends as failed."""
