"""Verdicts: whether a film violates what a person wants avoided, and why."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from oracle.base.errors import UserError
from oracle.index import Titles, first_of_each, open_index, risk_blocks, spread
from oracle.risk import Risks, TraitNames
from oracle.store import build_starter_store
from oracle.titles import Matcher, Matches, current_aliases, one_array, one_film, title_and_year, with_aliases

UNRESOLVED = {"safe": True, "violation": False, "ignore": None}


@dataclass(frozen=True)
class Verdict:
    """The verdict on one film. The match fields are None where the film was not found."""

    is_safe: bool | None
    """None only where the film was not found and the oracle ignores such films."""
    violations: list[str]
    """Such as "Anti-gore / squeamish: risk=0.92"."""
    imdb_id: str | None
    matched_title: str | None
    matched_year: int | None
    match_method: str | None
    match_score: float | None
    max_risk: float | None
    evidence: list[dict] = field(default_factory=list)
    """One entry for each active constraint with a risk: trait, risk, source, hit_tags, severities."""


class Oracle:
    """Judges films by the risks of one store, which it holds in memory and does not keep open."""

    def __init__(self, store: str | Path, risk_threshold: float = 0.66, unresolved: str = "safe") -> None:
        """Load the store. `unresolved`: films not found are "safe", a "violation", or to "ignore" (is_safe null)."""
        if unresolved not in UNRESOLVED:
            raise UserError(f"unresolved={unresolved!r}: expected one of {', '.join(UNRESOLVED)}")
        if not 0 < risk_threshold <= 1:
            raise UserError(f"risk_threshold={risk_threshold}: expected a number above 0 and at most 1")
        self.store = Path(store)
        self.risk_threshold = risk_threshold
        self.unresolved = unresolved
        columns = open_index(store)
        self._risks = Risks.of(columns)
        self._traits = TraitNames(self._risks.traits.to_pylist(), columns["traits"]["synonyms"].to_pylist())
        self._matcher = Matcher(with_aliases(Titles.of(columns), current_aliases(store)))

    @property
    def trait_names(self) -> list[str]:
        """The full names of all traits."""
        return list(self._traits.names)

    def resolve_traits(self, names: Iterable[str]) -> list[str]:
        """Return the full names of traits; raises `UserError` for a name that fits no trait, or several."""
        return self._traits.resolve(names)

    def check_safety(
        self, title: str, year: int | None = None, constraints: Mapping[str, bool] | None = None
    ) -> Verdict:
        """Judge one film. `constraints`: trait name -> whether it is to be avoided."""
        active = [name for name, wanted in (constraints or {}).items() if wanted]
        batch = one_film(title, year).append_column("constraints", pa.array([active], pa.list_(pa.string())))
        row = self.check_batch(batch).to_pylist()[0]
        violated = row.pop("violated_traits")
        risks = {entry["trait"]: entry["risk"] for entry in row["evidence"]}
        return Verdict(violations=[f"{trait}: risk={risks[trait]:.2f}" for trait in violated], **row)

    def resolve(self, table: pa.Table) -> pa.Table:
        """Find the films of a table with the columns title and year (nulls allowed).

        Returns, in the same order: imdb_id, matched_title, matched_year (int16), match_method, match_score (0..1);
        all null where no film was found.
        """
        title, year = title_and_year(table)
        return pa.table(self._matcher.match(title, year).columns(title, self._matcher.titles))

    def check_batch(self, table: pa.Table) -> pa.Table:
        """Judge the films of a table: title, year and constraints (list of trait names; null or empty = none).

        Returns, in the same order, the columns of `resolve` and: violated_traits (list, in the order of
        `trait_names`), max_risk (over the constraints; null without constraints and where no film was found), is_safe,
        evidence (one entry for each constraint with a risk above 0). Raises `UserError` for a missing column, or a
        name that fits no trait.
        """
        title, year = title_and_year(table)
        wanted_query, wanted_trait = self._constraints(table)
        matches = self._matcher.match(title, year)
        self._most_cautious(matches, wanted_query, wanted_trait)

        found = matches.form >= 0
        place, record = self._risks.find(matches.risk_block, wanted_query, wanted_trait)
        risk = record["risk"]
        max_risk = np.full(len(year), -1.0)
        np.maximum.at(max_risk, wanted_query, risk)
        safe = max_risk < self.risk_threshold
        is_safe = pa.array(safe)
        if UNRESOLVED[self.unresolved] is not True:
            # Whoever wants nothing avoided can't be shown anything unsafe.
            judged = found | (max_risk < 0)
            is_safe = pc.if_else(pa.array(judged), is_safe, pa.scalar(UNRESOLVED[self.unresolved], pa.bool_()))
        with_risk, violated = np.flatnonzero(risk > 0), np.flatnonzero(risk >= self.risk_threshold)
        query, trait = wanted_query.take(with_risk), wanted_trait.take(with_risk)
        return pa.table(
            {
                **matches.columns(title, self._matcher.titles),
                "violated_traits": _lists(
                    wanted_query.take(violated),
                    self._risks.traits.take(pa.array(wanted_trait.take(violated))),
                    len(year),
                ),
                "max_risk": pa.array(max_risk, mask=(max_risk < 0) | ~found),
                "is_safe": is_safe,
                "evidence": _lists(
                    query, self._risks.evidence(place.take(with_risk), record.take(with_risk), trait), len(year)
                ),
            }
        )

    def _constraints(self, table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
        """Return the wanted (query, trait) pairs, each once, sorted."""
        if "constraints" not in table.column_names:
            raise UserError("the table to judge lacks the column constraints (a list of trait names for each film)")
        column = one_array(table["constraints"], table["constraints"].type)
        if pa.types.is_null(column.type) or len(column) == 0:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        if not (pa.types.is_list(column.type) or pa.types.is_large_list(column.type)):
            raise UserError(f"constraints are of type {column.type}; expected list<string>")
        # Below a null there may be values, which count for nothing.
        query = np.repeat(np.arange(len(column)), pc.list_value_length(column).fill_null(0).to_numpy())
        bits = len(self._traits.names).bit_length()
        pairs = np.sort((query << bits) | self._trait_numbers(one_array(column.flatten(), pa.string())))
        pairs = pairs[first_of_each(pairs)]
        return pairs >> bits, pairs & (2**bits - 1)

    def _trait_numbers(self, name: pa.StringArray) -> np.ndarray:
        """Return the number of the trait that each name means."""
        number = pc.index_in(name, self._risks.traits)
        if number.null_count == 0:  # all in full
            return number.to_numpy()
        if name.null_count:
            raise UserError("a constraint is null; expected the name of a trait")
        name = name.dictionary_encode()
        numbers = np.array([self._traits.number(text) for text in name.dictionary.to_pylist()], np.int64)
        return numbers.take(name.indices.to_numpy())

    def _most_cautious(self, matches: Matches, wanted_query: np.ndarray, wanted_trait: np.ndarray) -> None:
        """Of several films of a title, take the first one with the highest risk for the constraints."""
        query, form = matches.several_query, matches.several_form
        if len(query) == 0:
            return
        rival, wanted = spread(*(np.searchsorted(wanted_query, query, side) for side in ("left", "right")))
        risk = np.zeros(len(query))
        record = self._matcher.titles.forms.take(form)
        _, risks = self._risks.find(risk_blocks(record["of_film"]), rival, wanted_trait[wanted])
        np.maximum.at(risk, rival, risks["risk"])
        order = np.lexsort((np.arange(len(query)), -risk, query))
        highest = order[first_of_each(query[order])]
        matches.put(query[highest], form[highest], record[highest])


def create_oracle(
    base_path: str | Path = ".",
    risk_threshold: float = 0.66,
    unresolved: str = "safe",
    store: str | Path | None = None,
) -> Oracle:
    """Open the oracle over `store`, or over `base_path/store.duckdb`, built from the starter data the first time."""
    if store is None:
        store = Path(base_path) / "store.duckdb"
        if not store.exists():
            build_starter_store(store)
    return Oracle(store, risk_threshold, unresolved)


def _lists(parent: np.ndarray, values: pa.Array, length: int) -> pa.ListArray:
    """Group values by their parent (sorted row numbers) into one list a row."""
    offsets = np.zeros(length + 1, np.int32)
    np.cumsum(np.bincount(parent, minlength=length), out=offsets[1:])
    return pa.ListArray.from_arrays(pa.array(offsets), values)
