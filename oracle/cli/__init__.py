"""`python -m oracle`: check, explain and log."""
