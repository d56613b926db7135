"""`python -m kdsweep`."""

from kdsweep.cli import main

main()
