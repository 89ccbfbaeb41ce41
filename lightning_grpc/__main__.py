"""``python -m lightning_grpc`` is ``lightning-grpc``."""


def main() -> None:
    """Execute the command line of this process."""
    try:
        from lightning_grpc.cli.main import main as command
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    command()


if __name__ == "__main__":
    main()
