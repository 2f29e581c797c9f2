"""`check --file … --engine ray`: the films of Parquet files of any number, judged by the oracles of a Ray cluster."""

import pyarrow as pa

from oracle.base.errors import UserError
from oracle.cli.files import judged
from oracle.cli.parquet import BATCH, columns_of, files_at, filesystem_of, films_of
from oracle.cluster import StoreCopy, cluster, judged_by_actors
from oracle.oracle import Oracle, create_oracle

DONE = "_SUCCESS"


class OracleActor:
    """An oracle on its own copy of the store, in an actor."""

    def __init__(self, store: StoreCopy, settings: dict, avoid: list[str], url: str):
        with store.copied() as path:
            self._oracle = create_oracle(store=path, **settings)
        self._avoid, self._url = avoid, url

    def __call__(self, films: pa.Table) -> pa.Table:
        return judged(self._oracle, self._url, films_of(films, self._url), self._avoid, None)


def check_on_cluster(oracle: Oracle, url: str, avoid: list[str], out: str | None, address: str | None) -> None:
    """Judge the films of Parquet files, and write a folder of Parquet files: the same rows, in the same order, as one process.

    Both are addresses that fsspec knows. The folder must be empty or not be there; it is whole when `_SUCCESS` is in it.

    Raises:
        UserError: files that can't be read or written, rows that are no films, or a store too large to be copied.
    """
    if out is None:
        raise UserError("--engine ray: expected --out, a folder or an address for the Parquet files of verdicts")
    wanted = oracle.resolve_traits(avoid)
    filesystem, paths = files_at(url)
    target, folder = filesystem_of(out)
    if target.exists(folder) and (not target.isdir(folder) or target.ls(folder)):
        raise UserError(f"--out {out}: is there already; name a folder that is empty or not there")
    settings = {"risk_threshold": oracle.risk_threshold, "unresolved": oracle.unresolved, "unrated": oracle.unrated}
    with cluster(address):
        import pyarrow.parquet as pq
        import ray.data

        store = StoreCopy(oracle.store)
        with filesystem.open(paths[0], "rb") as first:
            names = columns_of(pq.read_schema(first).names, paths[0])
        films = ray.data.read_parquet(paths, filesystem=filesystem, columns=names, partitioning=None)
        verdicts = judged_by_actors(films, OracleActor, (store, settings, wanted, url), BATCH)
        target.makedirs(folder, exist_ok=True)
        verdicts.write_parquet(folder, filesystem=target)
        target.touch(f"{folder}/{DONE}")
