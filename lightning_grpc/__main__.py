"""``python -m lightning_grpc`` is ``lightning-grpc``."""

from lightning_grpc.cli.main import main

if __name__ == "__main__":
    main()
