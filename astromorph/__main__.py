"""``python -m astromorph`` does what the command ``astromorph`` does."""
import sys

from astromorph.cli import main

if __name__ == "__main__":
    sys.exit(main())
