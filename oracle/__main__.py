"""`python -m oracle`: see `oracle.cli`."""

import sys

from oracle.cli import main

sys.exit(main())
