"""`python -m flanbuild`."""

from flanbuild.cli import main

main()
