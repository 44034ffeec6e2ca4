"""`python -m flanbuild`, and the console script."""

import sys


def main() -> None:
    """Runs the command line. Ctrl-C while modules are imported is one line too."""
    try:
        from flanbuild.cli.app import main as run
    except KeyboardInterrupt:
        print("flanbuild: stopped.", file=sys.stderr)
        raise SystemExit(130) from None
    run()


if __name__ == "__main__":
    main()
