"""`python -m kdsweep`."""

from kdsweep.cli.main import main

main()
