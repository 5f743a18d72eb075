"""The command `kaibo`."""

import sys

from frontend.cli import main

if __name__ == "__main__":
    sys.exit(main())
