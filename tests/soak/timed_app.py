"""The app as the soak serves it: a line in a file for each time that a page asked for rows, and how long that took."""

import sys

from app.main import main
from tests.soak import timing

timing.begin()
main(sys.argv[1:])
