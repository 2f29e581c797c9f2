"""The store: one DuckDB file of titles, traits and risks. Built, opened, changed as a whole."""

from oracle.base.files import alias_files, log_root
from oracle.base.store_format import STORE_FORMAT
from oracle.store.build import build_starter_store, build_store, trait_rows
from oracle.store.file import made_from, open_store, read_nouns
from oracle.store.traits import read_definitions, read_traits
from oracle.store.update import updated_store, upgrade_store

__all__ = [
    "STORE_FORMAT",
    "alias_files",
    "build_starter_store",
    "build_store",
    "log_root",
    "made_from",
    "open_store",
    "read_definitions",
    "read_nouns",
    "read_traits",
    "trait_rows",
    "updated_store",
    "upgrade_store",
]
