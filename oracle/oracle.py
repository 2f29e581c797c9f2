"""Verdicts: whether a film violates what a person wants avoided, and why."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from oracle.base.errors import UserError
from oracle.base.thresholds import in_risk_digits
from oracle.index import UNKNOWN, Titles, first_of_each, open_index, risk_blocks, spread
from oracle.risk import Risks, TraitNames
from oracle.store import build_starter_store
from oracle.titles import (
    Matcher,
    Matches,
    current_decisions,
    given_ids,
    one_array,
    one_film,
    title_and_year,
    with_decisions,
)

POLICIES = {"safe": True, "violation": False, "ignore": None}
"""What a film that can't be judged counts as, as a value of is_safe."""
STATUSES = pa.array(["safe", "unrated", "unresolved", "unsafe"])
SAFE, UNRATED, UNRESOLVED, UNSAFE = range(4)


@dataclass(frozen=True)
class Verdict:
    """The verdict on one film. The match fields are None where the film was not found."""

    is_safe: bool | None
    """Follows from `status`, and from what the oracle takes unresolved and unrated films for; None: it ignores those."""
    status: str
    """unsafe: a known risk reaches the threshold; else unresolved: no film; else unrated: nothing is known of the film for
    some active constraint; else safe."""
    violations: list[str]
    """Such as "Anti-gore / squeamish: risk=0.92"."""
    unrated_traits: list[str]
    """The active constraints for which nothing is known of the film."""
    imdb_id: str | None
    matched_title: str | None
    matched_year: int | None
    match_method: str | None
    match_score: float | None
    max_risk: float | None
    """The highest risk that is known for an active constraint; None where none is."""
    evidence: list[dict] = field(default_factory=list)
    """One entry for each active constraint with a risk: trait, risk, source, hit_tags, severities."""


class Oracle:
    """Judges films by the risks of one store, which it holds in memory and does not keep open."""

    def __init__(
        self, store: str | Path, risk_threshold: float = 0.66, unresolved: str = "safe", unrated: str = "safe"
    ) -> None:
        """Load the store. `unresolved`, `unrated`: films not found, or of which nothing is known for some constraint, are
        "safe", a "violation", or to "ignore" (is_safe null)."""
        for name, policy in (("unresolved", unresolved), ("unrated", unrated)):
            if policy not in POLICIES:
                raise UserError(f"{name}={policy!r}: expected one of {', '.join(POLICIES)}")
        if not 0 < in_risk_digits(risk_threshold) <= 1:
            raise UserError(f"risk_threshold={risk_threshold}: expected a number above 0 and at most 1")
        self.store = Path(store)
        self.risk_threshold = in_risk_digits(risk_threshold)
        self.unresolved = unresolved
        self.unrated = unrated
        columns = open_index(store)
        self._risks = Risks.of(columns)
        self._traits = TraitNames(self._risks.traits.to_pylist(), columns["traits"]["synonyms"].to_pylist())
        self._matcher = Matcher(with_decisions(Titles.of(columns), current_decisions(store)[0]))

    @property
    def trait_names(self) -> list[str]:
        """The full names of all traits."""
        return list(self._traits.names)

    @property
    def trait_synonyms(self) -> list[list[str]]:
        """Everyday words for each trait, in the order of `trait_names`, which constraints may say instead."""
        return [list(words) for words in self._traits.synonyms]

    def resolve_traits(self, names: Iterable[str]) -> list[str]:
        """Return the full names of traits; raises `UserError` for a name that fits no trait, or several."""
        return self._traits.resolve(names)

    def check_safety(
        self,
        title: str,
        year: int | None = None,
        constraints: Mapping[str, bool] | Iterable[str] | None = None,
        given_id: str | None = None,
    ) -> Verdict:
        """Judge one film. `constraints`: names of traits to avoid, or trait name -> whether it is to be avoided.

        `given_id` comes before the title where the store has a film of it.

        Raises:
            UserError: a name that fits no trait, or several.
        """
        active = active_constraints(constraints)
        batch = one_film(title, year).append_column("constraints", pa.array([active], pa.list_(pa.string())))
        if given_id is not None:
            batch = batch.append_column("given_id", pa.array([given_id]))
        row = self.check_batch(batch).to_pylist()[0]
        violated = row.pop("violated_traits")
        risks = {entry["trait"]: entry["risk"] for entry in row["evidence"]}
        return Verdict(violations=[f"{trait}: risk={risks[trait]:.2f}" for trait in violated], **row)

    def resolve(self, table: pa.Table) -> pa.Table:
        """Find the films of a table with the columns title and year, and if there is one, given_id (nulls allowed).

        Returns, in the same order: imdb_id, matched_title, matched_year (int16), match_method, match_score (0..1);
        all null where no film was found.
        """
        title, year = title_and_year(table)
        return pa.table(self._matcher.match(title, year, given_ids(table)).columns(title, self._matcher.titles))

    def check_batch(self, table: pa.Table) -> pa.Table:
        """Judge the films of a table: title, year and constraints (list of trait names; null or empty = none), [given_id].

        Returns, in the same order, the columns of `resolve` and: status (see `Verdict`), violated_traits and
        unrated_traits (lists, in the order of `trait_names`), max_risk (over the constraints; null where none is known),
        is_safe (null: a film to ignore), evidence (one entry for each constraint with a risk above 0).

        Raises:
            UserError: a missing column, or a name that fits no trait, or several.
        """
        title, year = title_and_year(table)
        wanted_query, wanted_trait = self._constraints(table)
        matches = self._matcher.match(title, year, given_ids(table))
        self._most_cautious(matches, wanted_query, wanted_trait)

        found = matches.title_no >= 0
        pair, record = self._risks.find(matches.risk_block, wanted_query, wanted_trait)
        risk = record["risk"]
        max_risk = np.full(len(year), UNKNOWN)
        np.maximum.at(max_risk, wanted_query, risk)
        with_risk, violated = np.flatnonzero(risk > 0), np.flatnonzero(risk >= self.risk_threshold)
        unrated = np.flatnonzero((risk == UNKNOWN) & found.take(wanted_query))
        status = self._status(found, max_risk, wanted_query.take(unrated))
        query, trait = wanted_query.take(with_risk), wanted_trait.take(with_risk)
        return pa.table(
            {
                **matches.columns(title, self._matcher.titles),
                "status": STATUSES.take(pa.array(status)),
                "violated_traits": self._trait_lists(wanted_query, wanted_trait, violated, len(year)),
                "unrated_traits": self._trait_lists(wanted_query, wanted_trait, unrated, len(year)),
                "max_risk": pa.array(max_risk, mask=max_risk == UNKNOWN),
                "is_safe": self._is_safe(status, wanted_query),
                "evidence": _lists(
                    query, self._risks.evidence(pair.take(with_risk), record.take(with_risk), trait), len(year)
                ),
            }
        )

    def _status(self, found: np.ndarray, max_risk: np.ndarray, unrated: np.ndarray) -> np.ndarray:
        """(n,) int64, indices into STATUSES. `unrated`: the films for which some risk is not known."""
        status = np.where(found, SAFE, UNRESOLVED)
        status[unrated] = UNRATED
        status[max_risk >= self.risk_threshold] = UNSAFE
        return status

    def _is_safe(self, status: np.ndarray, wanted_query: np.ndarray) -> pa.Array:
        """(n,) bool: what each status counts as; null = ignored. Whoever avoids nothing can't be shown anything unsafe."""
        counts_as = pa.array([True, POLICIES[self.unrated], POLICIES[self.unresolved], False], pa.bool_())
        anything = np.zeros(len(status), bool)
        anything[wanted_query] = True
        return counts_as.take(pa.array(np.where(anything, status, SAFE)))

    def _trait_lists(self, query: np.ndarray, trait: np.ndarray, which: np.ndarray, length: int) -> pa.ListArray:
        """The names of some wanted traits, in a list a film."""
        return _lists(query.take(which), self._risks.traits.take(pa.array(trait.take(which))), length)

    def _constraints(self, table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
        """Return the wanted (query, trait) pairs, each once, sorted."""
        if "constraints" not in table.column_names:
            raise UserError("the table to judge lacks the column constraints (a list of trait names for each title)")
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
        """Of several films of a title, take the one with the highest known risk; of equals one that is not rated, the first."""
        query, title_no = matches.several_query, matches.several_title_no
        if len(query) == 0:
            return
        rival, wanted = spread(*(np.searchsorted(wanted_query, query, side) for side in ("left", "right")))
        highest, unrated = np.zeros(len(query)), np.zeros(len(query), bool)
        record = self._matcher.titles.records.take(title_no)
        _, risks = self._risks.find(risk_blocks(record["of_film"]), rival, wanted_trait[wanted])
        np.maximum.at(highest, rival, risks["risk"])
        unrated[rival[risks["risk"] == UNKNOWN]] = True
        order = np.lexsort((np.arange(len(query)), ~unrated, -highest, query))
        first = order[first_of_each(query[order])]
        matches.put(query[first], title_no[first], record[first])


def create_oracle(
    base_path: str | Path = ".",
    risk_threshold: float = 0.66,
    unresolved: str = "safe",
    unrated: str = "safe",
    store: str | Path | None = None,
) -> Oracle:
    """Open the oracle over `store`, or over `base_path/store.duckdb`, built from the starter data the first time.

    `unresolved`, `unrated`: whether films that are not found, or of which nothing is known for some constraint, count as
    "safe", as a "violation", or are to "ignore". Raises `UserError` for another word, or for what is no store.
    """
    if store is None:
        store = Path(base_path) / "store.duckdb"
        if not store.exists():
            build_starter_store(store)
    return Oracle(store, risk_threshold, unresolved, unrated)


def active_constraints(constraints: object) -> list[str]:
    """The names of the traits to avoid, from a list of them, a mapping of trait -> whether it is avoided, one name, or None.

    Raises:
        UserError: a value that is neither true, false nor null, or what is none of these.
    """
    if constraints is None:
        return []
    if isinstance(constraints, str):
        return [constraints]
    if isinstance(constraints, Mapping):
        if wrong := [value for value in constraints.values() if value not in (True, False, None)]:
            raise UserError(f"constraints: {wrong[0]!r} is neither true nor false; expected trait -> true or false")
        return [name for name, active in constraints.items() if active]
    if not isinstance(constraints, Iterable):
        raise UserError(f"constraints {constraints!r}: expected names of traits, or trait -> true or false")
    return list(constraints)


def _lists(parent: np.ndarray, values: pa.Array, length: int) -> pa.ListArray:
    """Group values by their parent (sorted row numbers) into one list a row."""
    offsets = np.zeros(length + 1, np.int32)
    np.cumsum(np.bincount(parent, minlength=length), out=offsets[1:])
    return pa.ListArray.from_arrays(pa.array(offsets), values)
