"""A run log small enough to work its figures out by hand: two prompts, two answers each, lists of three films."""

from pathlib import Path

import pyarrow as pa

from oracle.log import LogWriter

RUN = {
    "kind": "train", "model": "tiny", "dataset": "by hand", "rec_num": 3, "num_generations": 2,
    "advantage_mode": "grpo",
}  # fmt: skip
LOG3 = 0.6309297535714575  # 1 / log2(3), the weight of rank 2

_FILM = {
    "title": None, "year": None, "start": None, "end": None, "imdb_id": None, "matched_title": None,
    "matched_year": None, "match_method": None, "match_score": None, "violated_traits": None,
    "max_risk": None, "evidence": None,
    "is_safe": None, "in_catalog": None, "seen": None, "repeated": None, "hit": None,
    "r_rel": 0.0, "r_safe": 0.0, "r_count": 0.0, "r_end": 0.0, "r_repeat": 0.0, "r_total": 0.0, "advantage": 0.0,
    "n_tokens": 0,
}  # fmt: skip
NOTHING = dict(_FILM)


def film(title: str, imdb_id: str | None = None, risks: dict[str, float] | None = None, **more: object) -> dict:
    """A verdict on a film of 2000; found exactly where it has an id; `risks` by constraint."""
    found = imdb_id is not None
    risks = risks or {}
    evidence = [
        {"trait": t, "risk": r, "source": "guide", "hit_tags": [], "severities": ["Violence & Gore: Severe"]}
        for t, r in risks.items()
    ]
    violated = [t for t, r in risks.items() if r >= 0.66]
    verdict = {
        "title": title, "year": 2000, "start": 3, "end": 3 + len(title), "imdb_id": imdb_id,
        "matched_title": title if found else None, "matched_year": 2000 if found else None,
        "match_method": "exact" if found else None, "match_score": 1.0 if found else None,
        "violated_traits": violated, "max_risk": max(risks.values(), default=None), "evidence": evidence,
        "is_safe": not violated, "in_catalog": True, "seen": False, "repeated": False, "hit": False, "n_tokens": 5,
    }  # fmt: skip
    return {**_FILM, **verdict, **more}


def step_tables(answers: list[dict]) -> tuple[pa.Table, pa.Table]:
    """Tables of answers: {"prompt_id", "constraints", "groundtruth", "verdicts": [rank 1, rank 2, …]}."""
    completions = [
        {
            "completion": i, "prompt_id": a["prompt_id"], "generation": i % 2, "prompt": f"Films for {a['prompt_id']}?",
            "constraints": a["constraints"],
            "groundtruth": [
                {"title": t, "year": 2000, "imdb_id": t, "is_safe": s} for t, s in a["groundtruth"].items()
            ],
            "seen": [], "text": "…", "n_tokens": 15, "n_films": sum(v["title"] is not None for v in a["verdicts"]),
            "ended": True,
        }
        for i, a in enumerate(answers)
    ]  # fmt: skip
    verdicts = [
        {"completion": i, "rank": rank, **verdict}
        for i, a in enumerate(answers)
        for rank, verdict in enumerate(a["verdicts"], start=1)
    ]
    return pa.Table.from_pylist(completions), pa.Table.from_pylist(verdicts)


# Prompt A wants no gore; both of its ground-truth films are hit by the first answer, one of them is gory.
# Within a group of two, the deviation of (LOG3, 0) is LOG3 / sqrt(2): advantages are ±0.70695 at rank 2, else 0.
ADVANTAGE = (LOG3 / 2) / (LOG3 / 2**0.5 + 1e-4)
SAW = film("Saw", "tt0387564", {"gore": 0.92}, hit=True, r_rel=1.0, r_safe=-1.0, r_total=0.0)
ALIEN = film("Alien", "tt0078748", {"gore": 0.5}, hit=True, r_rel=LOG3, r_total=LOG3, advantage=ADVANTAGE)
JAWS = film("Jaws", "tt0073195", {"gore": 0.64})
AGAIN = film("Jaws", "tt0073195", {"gore": 0.64}, repeated=True, advantage=-ADVANTAGE)
HEET = film("Heet")
HEAT = film("Heat", "tt0113277", hit=True, r_rel=LOG3, r_total=LOG3, advantage=ADVANTAGE)
UP = film("Up", "tt1049413", in_catalog=False, match_method="alternative", match_score=0.93)
BEYOND = film("Big", "tt0094737", advantage=None)

A = {"prompt_id": "A", "constraints": ["gore"], "groundtruth": {"Alien": True, "Saw": False}}
B = {"prompt_id": "B", "constraints": [], "groundtruth": {"Heat": True}}
STEP_1 = [
    {**A, "verdicts": [SAW, ALIEN, JAWS]},
    {**A, "verdicts": [JAWS, AGAIN, NOTHING]},
    {**B, "verdicts": [HEET, HEAT, UP, BEYOND]},
    {**B, "verdicts": [NOTHING, {**NOTHING, "advantage": -ADVANTAGE}, NOTHING]},
]
# The second step: everybody gets the same, and nobody learns anything.
STEP_2 = [{**A, "verdicts": [JAWS, NOTHING, NOTHING]}] * 2 + [{**B, "verdicts": [HEET, NOTHING, NOTHING]}] * 2


def write_tiny_log(log_root: Path | str, **settings: object) -> str:
    """Write steps 1 and 2; returns the run_id."""
    with LogWriter(log_root, {**RUN, **settings}) as writer:
        writer.write_step(1, *step_tables(STEP_1))
        writer.write_step(2, *step_tables(STEP_2))
    return writer.run_id
