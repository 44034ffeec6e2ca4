"""`python -m flanbuild`."""

from flanbuild.cli.app import main

main()
