"""What an oracle holds of a store in memory: mapped from a file beside it, and looked up by hashes."""

from oracle.index.hashing import HashNumbers, UniqueHashes, distinct, first_of_each, query_hashes, spread, text_hashes
from oracle.index.mapped import open_index
from oracle.index.records import FILM, RISK, TITLE, UNKNOWN, imdb_ids, risk_blocks
from oracle.index.tables import Columns, Titles

__all__ = [
    "FILM",
    "RISK",
    "TITLE",
    "UNKNOWN",
    "Columns",
    "HashNumbers",
    "Titles",
    "UniqueHashes",
    "distinct",
    "first_of_each",
    "imdb_ids",
    "open_index",
    "query_hashes",
    "risk_blocks",
    "spread",
    "text_hashes",
]
