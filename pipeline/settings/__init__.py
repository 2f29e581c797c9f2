"""Flags and YAML files, what is refused of them, and TRL's configuration. Imported file by file: not all need torch."""
