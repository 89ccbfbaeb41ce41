"""Stages and reasons where users of Lightning Apps look for them."""

from lightning_grpc.components.status import (
    AppStage,
    CacheCallsKeys,
    WorkFailureReasons,
    WorkStageStatus,
    WorkStopReasons,
)

__all__ = ["AppStage", "CacheCallsKeys", "WorkFailureReasons", "WorkStageStatus", "WorkStopReasons"]
