"""`python -m oracle`: check, explain and log."""

from oracle.cli.main import run

__all__ = ["run"]
