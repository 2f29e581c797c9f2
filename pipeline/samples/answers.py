"""Answers for SFT to imitate, where people recommended too few films to make a list."""

from collections.abc import Sequence

import pyarrow as pa

from oracle import Oracle
from oracle.base.database import connect
from oracle.base.resources import read_sql

LIST_LENGTH = 20
_FILM = pa.schema([("title", pa.string()), ("year", pa.int16())])


def full_answers(
    oracle: Oracle,
    conversations: Sequence[str],
    seen: Sequence[Sequence[dict]],
    groundtruth: Sequence[Sequence[dict]],
    is_train: Sequence[bool],
) -> list[list[dict]]:
    """Return `LIST_LENGTH` films a sample: its ground truth, then what else people who named its seen films name.

    The rest is ranked by how often training conversations name a film together with the seen ones
    (`sql/sources/co_mentioned.sql`), whatever the constraints are: to heed them is left to the training that follows.
    Fewer films come out only where the conversations know no more. Films are {"title", "year"}, none of them seen.
    """
    rows = [
        {
            "sample": sample,
            "conversation": conversations[sample],
            **film,
            "is_seen": is_seen,
            "is_train": is_train[sample],
        }
        for is_seen, listed in ((True, seen), (False, groundtruth))
        for sample, films in enumerate(listed)
        for film in films
    ]
    if not rows:
        return [[] for _ in conversations]
    films = pa.Table.from_pylist([{"title": r["title"], "year": r["year"]} for r in rows], _FILM)
    found = oracle.resolve(films)["imdb_id"].to_pylist()
    # A film that the store doesn't know is told apart by how it is written.
    keys = [film_id or f"{row['title']} ({row['year']})" for film_id, row in zip(found, rows, strict=True)]
    written = {key: {"title": row["title"], "year": row["year"]} for key, row in zip(keys, rows, strict=True)}
    mentioned = pa.Table.from_pylist([{**row, "film": key} for row, key in zip(rows, keys, strict=True)])
    answers = [list(films[:LIST_LENGTH]) for films in groundtruth]
    with connect() as connection:
        connection.register("mentioned", mentioned)
        ranking = connection.execute(read_sql("sources/co_mentioned"), {"k": LIST_LENGTH}).fetchall()
    for sample, _, key in ranking:
        if len(answers[sample]) < LIST_LENGTH:
            answers[sample].append(written[key])
    return answers
