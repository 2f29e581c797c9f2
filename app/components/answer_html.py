"""Answers as HTML. Everything that a model or a user wrote goes through `safe`, so that it is text and nothing else."""

import html

from app.text.formats import film, number, plural, safe, signed
from oracle.base.printable import visible


def side_by_side(answers: list[dict], ranks: list[dict], chosen_rank: int | None, as_text: bool) -> str:
    """Cards of the answers, in order: their ranks with reasons, or their text coloured by advantage.

    Args:
        answers: rows of answers.sql. ranks: rows of answer_ranks.sql of all these answers.
        chosen_rank: opened and marked in each.
    """
    of = {
        answer["completion"]: [row for row in ranks if row["completion"] == answer["completion"]] for answer in answers
    }
    cards = (_card(answer, of[answer["completion"]], chosen_rank, as_text) for answer in answers)
    return f'<div class="answers" tabindex="0" role="group" aria-label="Answers side by side">{"".join(cards)}</div>'


def _card(answer: dict, ranks: list[dict], chosen_rank: int | None, as_text: bool) -> str:
    facts = [
        f"{answer['violations']} unsafe",
        *_unknown(answer),
        plural(answer["hits"], "hit"),
        plural(answer["films"], "film"),
    ]
    if not answer["ended"]:
        facts.append("cut off")
    listed = "".join(_rank(row, row["rank"] == chosen_rank) for row in ranks)
    return (
        f'<article class="answer"><header><b>Answer {answer["generation"] + 1} '
        f"<span>{signed(answer['reward'])}</span></b><span>{' · '.join(facts)}</span></header>"
        f"{coloured_text(answer['text'], ranks) if as_text else listed}</article>"
    )


def _unknown(answer: dict) -> list[str]:
    """How many films can't be judged, where there are any."""
    counted = ((answer["unrated"], "not rated"), (answer["unresolved"], "not found"))
    return [f"{count} {what}" for count, what in counted if count]


def _rank(row: dict, chosen: bool) -> str:
    title = "<em>nothing here</em>" if row["title"] is None else safe(film(row["title"], row["year"]))
    chips = "".join(_chip(text, kind) for text, kind in chips_of(row))
    return (
        f'<details class="rank{" chosen" if chosen else ""}"{" open" if chosen else ""}><summary>'
        f'<span class="k">{row["rank"]}</span><span class="title">{title}<span class="chips">{chips}</span></span>'
        f'<span class="adv" title="advantage" style="background:{advantage_colour(row["advantage"], row["most"])}">'
        f"{signed(row['advantage']) if row['advantage'] is not None else ''}</span></summary>"
        f'<div class="why">{reason(row)}</div></details>'
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


def reason(row: dict) -> str:
    """Why the rank was rewarded so: the sentence of the view `why`, and the evidence for traits it does not violate."""
    found = "" if row["imdb_id"] is None else f"<p>{_chip(row['imdb_id'], 'quiet')}</p>"
    sentence = f"<p>{safe(row['sentence'])}</p>"
    evidence = "".join(
        f"<p>{safe(entry['trait'])}: risk {number(entry['risk'], 2)}"
        + (f" · {safe(', '.join(entry['severities']))}" if entry["severities"] else "")
        + (f" · tagged {safe(', '.join(entry['hit_tags']))}" if entry["hit_tags"] else "")
        + "</p>"
        for entry in row["evidence"] or []
        if entry["trait"] not in (row["violated_traits"] or [])
    )
    return sentence + evidence + found


def coloured_text(text: str, ranks: list[dict]) -> str:
    """The answer as it was written, the characters of each rank coloured by its advantage."""
    pieces, position = [], 0
    for row in sorted((r for r in ranks if r["start"] is not None), key=lambda r: r["start"]):
        start, end = max(position, row["start"]), min(len(text), row["end"])
        if end <= start:
            continue
        tip = html.escape(f"rank {row['rank']}: advantage {signed(row['advantage'])}, reward {signed(row['r_total'])}")
        colour = advantage_colour(row["advantage"], row["most"])
        pieces += [
            _plain(text[position:start]),
            f'<mark title="{tip}" style="background:{colour}">{_plain(text[start:end])}</mark>',
        ]
        position = end
    return f'<div class="text" dir="auto">{"".join(pieces)}{_plain(text[position:])}</div>'


def advantage_colour(advantage: float | None, most: float | None) -> str:
    """Blue pushes up, orange down; the stronger the more."""
    if not most or abs(advantage or 0) < 0.005:
        return "transparent"
    assert advantage is not None
    strength = 0.08 + 0.52 * min(1.0, abs(advantage) / most)
    return f"rgb(var(--{'blue' if advantage > 0 else 'orange'}) / {strength:.2f})"


def _plain(text: str) -> str:
    return html.escape(visible(text))


def _chip(text: str, kind: str) -> str:
    return f'<span class="chip {kind}">{safe(text)}</span>'
