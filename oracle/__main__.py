"""`python -m oracle`: see `oracle.cli.main`."""

import sys

from oracle.cli.main import main

sys.exit(main())
