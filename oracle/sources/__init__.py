"""Sources: the files that a store is made from, recognised by their content and read row by row.

A row that can't be used is set aside with its reason; a file that can't be read is a `UserError`.
"""

from oracle.sources.catalog import catalog_note, noted_catalog, read_catalog
from oracle.sources.coverage import Coverage, read_coverage
from oracle.sources.held import Evidence
from oracle.sources.json_files import read_document
from oracle.sources.kinds import DIALOGS, RATINGS, Source
from oracle.sources.load import Loaded, load_sources
from oracle.sources.recognise import delimiter_of, recognise
from oracle.sources.rejects import forget_rejects, rejects_beside, rejects_of_dataset, rejects_path
from oracle.sources.report import write_report
from oracle.sources.rows import row_batches

__all__ = [
    "DIALOGS",
    "RATINGS",
    "Coverage",
    "Evidence",
    "Loaded",
    "Source",
    "catalog_note",
    "delimiter_of",
    "forget_rejects",
    "load_sources",
    "noted_catalog",
    "read_catalog",
    "read_coverage",
    "read_document",
    "recognise",
    "rejects_beside",
    "rejects_of_dataset",
    "rejects_path",
    "row_batches",
    "write_report",
]
