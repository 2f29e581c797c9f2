"""Traits and films: what causes the penalties, and every film's risk as the store knows it."""

import pyarrow as pa
import streamlit as st

from app.components import columns, rank_charts, states, style
from app.core import address, database, flat, runs
from app.text import formats
from oracle.base.nouns import Nouns

ANY = "any trait"
MOST = 300  # rows of risks.sql


def page() -> None:
    left, right = st.columns([3, 3], vertical_alignment="bottom")
    with left:
        run = runs.pick()
    nouns = database.nouns()
    traits = [row["trait"] for row in database.rows("traits").to_pylist()]
    with right:
        trait = address.choose("trait", "Trait", [ANY, *traits], ANY, format_func=formats.short)
    wanted = None if trait == ANY else trait
    if database.rows("steps", run=run["run_id"]).num_rows:
        _of_run(run, wanted, nouns)
    else:
        states.no_step()
    _risks(wanted, nouns)


def _of_run(run: dict, wanted: str | None, nouns: Nouns) -> None:
    """What the run's prompts wanted avoided, and the films that it listed nonetheless."""
    breakdown = database.rows("traits_of_run", run=run["run_id"])
    films = database.rows("films_of_run", run=run["run_id"], trait=wanted)
    style.headline(
        *_sentences(breakdown.to_pylist(), films.slice(0, 2).to_pylist(), wanted, nouns),
        eyebrow=runs.eyebrow(run),
    )
    if breakdown.num_rows:
        over_time = run["kind"] == "train" and breakdown["steps"][0].as_py() > 1
        style.section(
            "Violations by trait",
            nouns("Share of the films listed for people who avoid a trait that violate it")
            + (
                ": over the run (stroke), and from the first third of its steps (ring) to the last (dot)."
                if over_time
                else "."
            ),
        )
        st.altair_chart(rank_charts.trait_rates(flat.shown(breakdown), over_time, nouns), width="stretch")
    if films.num_rows:
        style.section(
            nouns("Films that were punished" if _is_punished(films.to_pylist()) else "Films that violate"),
            nouns("How often a film was listed for someone who wants it avoided, and what that cost in all.")
            + (
                ""
                if wanted
                else nouns(" A film of which nothing is known is here where the run counts it as a violation.")
            ),
        )
        _films(films, nouns)


def _sentences(traits: list[dict], films: list[dict], wanted: str | None, nouns: Nouns) -> tuple[str, str]:
    if not traits:
        return "No prompt of this run wants anything avoided.", "The risk table below is the store’s, whatever the run."
    of_trait = next((row for row in traits if row["trait"] == wanted), None)
    if wanted and of_trait is None:
        return f"No prompt of this run wants “{formats.short(wanted)}” respected.", ""
    row = of_trait or next((row for row in traits if row["films"]), traits[0])
    if not row["films"]:
        which = "this" if wanted else "a"
        return nouns(f"No film was listed for people who avoid {which} trait, so none could violate it."), ""
    most = _most(films, nouns) if films else ""
    if not row["violations"]:
        return nouns(f"No film is known to violate {'this' if wanted else 'any'} trait."), most
    share = formats.percent(row["violation_rate"])
    sentence = f"{share} of the {nouns.many} listed for people who chose “{formats.short(row['trait'])}” violate it."
    if not wanted:
        times = formats.plural(row["violations"], "time")
        trait, by = f"“{formats.short(row['trait'])}”", f"{times}, by {share} of the {nouns.many} listed for it."
        sentence = f"{trait} is violated most often: {by}"
        if len(traits) > 1 and traits[1]["violations"] == row["violations"]:
            sentence = f"No trait is violated more often than {trait}: {by}"
    return sentence, most


def _most(films: list[dict], nouns: Nouns) -> str:
    film, verb = films[0], "punished" if _is_punished(films) else "that {}"
    most = f"The {nouns.one} {verb.format('violates')} most"
    if len(films) > 1 and films[1]["violations"] == film["violations"]:
        most = f"Among the {nouns.many} {verb.format('violate')} most"
    return (
        f"{most} is {formats.film(film['title'], film['year'])}: "
        f"{formats.plural(film['violations'], 'time')}, at rank {formats.number(film['mean_rank'], 1)} on average."
    )


def _is_punished(films: list[dict]) -> bool:
    """Whether violating cost anything: not where λ, P or the weight of safety is 0, and not in an evaluation without rewards."""
    return any((film["cost"] or 0) > 0 for film in films)


def _films(films: pa.Table, nouns: Nouns) -> None:
    st.dataframe(
        flat.shown(films),
        hide_index=True,
        height=columns.height(films.num_rows, 420),
        column_order=[
            "title", "year", "violations", "cost", "mean_rank", "max_risk", "traits",
            "first_step", "last_step", "imdb_id",
        ],
        column_config={
            "title": columns.text(nouns.one, "medium"),
            "year": columns.year(),
            "violations": columns.whole("times"),
            "cost": columns.decimal("cost", 2, "What the safety rewards took in all, with the weight of safety."),
            "mean_rank": columns.decimal("mean rank", 1),
            "max_risk": columns.decimal("risk", 2),
            "traits": columns.texts("violates", "large"),
            "first_step": columns.whole("first step"),
            "last_step": columns.whole("last step"),
            "imdb_id": columns.text("id", "small"),
        },
    )  # fmt: skip


def _risks(wanted: str | None, nouns: Nouns) -> None:
    style.section(
        "Risk table",
        nouns("What the store knows about films: the risk for each trait, and which tags and severities led to it."),
    )
    search = address.text("film", "Search a title", max_chars=100)
    found = database.rows("risks", search=search.strip(), trait=wanted)
    if not found.num_rows:
        hint = nouns("Risks are known of films with content tags or severities only.")
        return states.nothing(nouns("No film with a risk has that title."), hint)
    st.dataframe(
        flat.shown(found),
        hide_index=True,
        height=columns.height(found.num_rows, 420),
        column_order=["title", "year", "trait", "risk", "source", "hit_tags", "severities", "imdb_id"],
        column_config={
            "title": columns.text(nouns.one, "medium"),
            "year": columns.year(),
            "trait": columns.text("trait", "medium"),
            "risk": st.column_config.ProgressColumn("risk", format="%.2f", min_value=0, max_value=1, width="small"),
            "source": columns.text("from", "small"),
            "hit_tags": columns.texts("tags"),
            "severities": columns.texts("severities"),
            "imdb_id": columns.text("id", "small"),
        },
    )
    if found.num_rows == MOST:
        st.caption(f"The {MOST} riskiest; search for a title to see more.")
