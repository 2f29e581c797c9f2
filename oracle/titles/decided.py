"""What people decided about titles, put beside the titles of a store: it comes before all else."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from oracle.base.arrow import booleans_of
from oracle.index import Titles, first_of_each, imdb_ids
from oracle.titles.variants import key_hashes, read_titles


def with_decisions(titles: Titles, decisions: pa.Table) -> Titles:
    """Return the titles with decisions(title, year, imdb_id, action). The last one of a key holds; of unknown films, none."""
    if len(decisions) == 0:
        return titles
    ids = imdb_ids(titles.records["of_film"], titles.long_ids)
    title_nos = np.flatnonzero(booleans_of(pc.is_in(ids, decisions["imdb_id"].combine_chunks().drop_null())))
    # The titles of a film are together; the first one stands for it.
    title_nos = title_nos[first_of_each(titles.records["film"][title_nos])]
    title_no_of = dict(zip(ids.take(pa.array(title_nos)).to_pylist(), title_nos.tolist(), strict=True))
    rows = [row for row in decisions.to_pylist() if row["imdb_id"] is None or row["imdb_id"] in title_no_of]
    if not rows:
        return titles
    keys = [title.key for title in read_titles([row["title"] for row in rows])]
    aliases, refused = {**titles.aliases}, {**titles.refused}
    for key, row in zip(keys, rows, strict=True):
        of = key, -1 if row["year"] is None else row["year"]
        aliases.pop(of, None)
        refused.pop(of, None)
        if row["action"] == "confirm":
            aliases[of] = title_no_of[row["imdb_id"]]
        elif row["imdb_id"] is None:
            refused[of] = -1
        else:
            refused[of] = int(titles.records["film"][title_no_of[row["imdb_id"]]])
    _, title_nos = titles.keys.find(key_hashes(["k" + key for key in keys]))
    read = read_titles(titles.title.take(pa.array(title_nos)).to_pylist())
    written_so = [number for number, title in zip(title_nos, read, strict=True) if title.key in set(keys)]
    decided = np.union1d(titles.decided, titles.records["key_no"][np.array(written_so, np.int64)])
    return replace(titles, aliases=aliases, refused=refused, decided=decided)
