"""Answers as HTML: what is said of each rank, and the colours of its characters."""

from collections.abc import Iterator

from markupsafe import Markup

from app.components.markup import piece
from app.text.formats import film, number, plural, signed
from oracle.base.nouns import FILMS, Nouns
from oracle.risk import risk_text


def side_by_side(
    answers: list[dict], ranks: list[dict], chosen_rank: int | None, as_text: bool, nouns: Nouns = FILMS
) -> Markup:
    """Cards of the answers, in order: their ranks with reasons, or their text coloured by advantage.

    Args:
        answers: rows of answers.sql. ranks: rows of answer_ranks.sql of all these answers.
        chosen_rank: opened and marked in each.
    """
    of = {
        answer["completion"]: [row for row in ranks if row["completion"] == answer["completion"]] for answer in answers
    }
    return piece(
        "answers", [_card(answer, of[answer["completion"]], chosen_rank, as_text, nouns) for answer in answers]
    )


def _card(answer: dict, ranks: list[dict], chosen_rank: int | None, as_text: bool, nouns: Nouns) -> dict:
    facts = [
        f"{answer['violations']} unsafe",
        *_unknown(answer),
        plural(answer["hits"], "hit"),
        plural(answer["films"], nouns.one, nouns.many),
    ]
    if not answer["ended"]:
        facts.append("cut off")
    listed = Markup().join(_rank(row, row["rank"] == chosen_rank) for row in ranks)
    return {
        "name": f"Answer {answer['generation'] + 1}",
        "reward": signed(answer["reward"]),
        "facts": " · ".join(facts),
        "body": coloured_text(answer["text"], ranks) if as_text else listed,
    }


def _unknown(answer: dict) -> list[str]:
    """How many films can't be judged, where there are any."""
    counted = ((answer["unrated"], "not rated"), (answer["unresolved"], "not found"))
    return [f"{count} {what}" for count, what in counted if count]


def _rank(row: dict, is_chosen: bool) -> Markup:
    return piece(
        "rank",
        {
            "rank": row["rank"],
            "is_chosen": is_chosen,
            "title": None if row["title"] is None else film(row["title"], row["year"]),
            "is_cut_off": row["title"] is None and row["start"] is not None,
            "chips": chips_of(row),
            "colour": advantage_colour(row["advantage"], row["most"]),
            "advantage": "" if row["advantage"] is None else signed(row["advantage"]),
            "sentence": row["sentence"],
            "evidence": list(_other_evidence(row)),
            "imdb_id": row["imdb_id"],
        },
    )


def chips_of(row: dict) -> list[tuple[str, str]]:
    """(text, kind) of what stands beside a rank: reward parts that are not 0, violated traits, what it missed."""
    chips = [
        (f"{signed(part['value'])} {part['label']}", "good" if part["value"] > 0 else "bad")
        for part in row["parts"] or []
    ]
    if row["length_control"]:
        chips.append((f"{signed(row['length_control'])} length", "good" if row["length_control"] > 0 else "bad"))
    chips += [(trait, "bad") for trait in row["violated_traits"] or []]
    if row["title"] is None:
        return chips
    if row["rank"] > (row["run_k"] or row["rank"]):
        chips.append((f"beyond rank {row['run_k']}, counts in no rate", "quiet"))
    if row["status"] == "unresolved":
        chips.append(("? not found", "unknown"))
    else:
        chips += [(f"? not rated for {trait}", "unknown") for trait in row["unrated_traits"] or []]
    if row["match_score"] is not None and row["match_score"] < 0.95:
        chips.append((f"match {number(row['match_score'], 2)}", "quiet"))
    if row["repeated"]:
        chips.append(("repeated", "quiet"))
    if row["seen"]:
        chips.append(("seen", "quiet"))
    return chips


def _other_evidence(row: dict) -> Iterator[dict]:
    """For traits that the film does not violate; those that it does are in the sentence of the view `why`."""
    for entry in row["evidence"] or []:
        if entry["trait"] not in (row["violated_traits"] or []):
            yield {
                "trait": entry["trait"],
                "risk": risk_text(entry["risk"], row["run_threshold"]),
                "severities": ", ".join(entry["severities"] or []),
                "tags": ", ".join(entry["hit_tags"] or []),
            }


def coloured_text(text: str, ranks: list[dict]) -> Markup:
    """The answer as it was written, the characters of each rank coloured by its advantage."""
    parts, position = [], 0
    for row in sorted((r for r in ranks if r["start"] is not None), key=lambda r: r["start"]):
        start, end = max(position, row["start"]), min(len(text), row["end"])
        if end <= start:
            continue
        tip = f"rank {row['rank']}: advantage {signed(row['advantage'])}, reward {signed(row['r_total'])}"
        colour = advantage_colour(row["advantage"], row["most"])
        parts += [(text[position:start], None, ""), (text[start:end], colour, tip)]
        position = end
    return piece("written", [*parts, (text[position:], None, "")])


def advantage_colour(advantage: float | None, most: float | None) -> str:
    """Blue pushes up, orange down; the stronger the more."""
    if not most or abs(advantage or 0) < 0.005:
        return "transparent"
    assert advantage is not None
    strength = 0.08 + 0.52 * min(1.0, abs(advantage) / most)
    return f"rgb(var(--{'blue' if advantage > 0 else 'orange'}) / {strength:.2f})"
