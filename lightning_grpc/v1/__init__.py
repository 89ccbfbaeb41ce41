"""Code generated from ``protos/lightning_grpc/v1``; `make proto` rewrites it, only `wire` imports it."""
