"""The folder in which the app was started. It may be removed while the app runs, and then no page needs it any more."""

import os
from pathlib import Path

STARTED_IN = Path.cwd()


def leave_if_gone() -> None:
    """Go to a folder that is always there, where this one was removed: Streamlit asks for it at each connection, and failed."""
    try:
        os.getcwd()
    except FileNotFoundError:
        os.chdir("/")
