"""Which film a title and a year mean, what people decided about titles, and why a title was found or was not."""

from oracle.titles.aliases import aliases_path, append_alias, confirm_alias, current_decisions
from oracle.titles.asked import given_ids, one_array, one_film, title_and_year
from oracle.titles.decided import with_decisions
from oracle.titles.explain import nearest, sources
from oracle.titles.resolver import Matcher, Matches, normalise

__all__ = [
    "Matcher",
    "Matches",
    "aliases_path",
    "append_alias",
    "confirm_alias",
    "current_decisions",
    "given_ids",
    "nearest",
    "normalise",
    "one_array",
    "one_film",
    "sources",
    "title_and_year",
    "with_decisions",
]
