"""`python -m reference [--check]`."""

import sys

from reference.generated import CHECKOUT, PAGES, write

sys.exit(write(PAGES, CHECKOUT, sys.argv[1:]))
