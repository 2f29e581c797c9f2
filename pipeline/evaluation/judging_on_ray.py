"""`evaluate.py --engine ray`: answers judged by the actors of a Ray cluster, each with an oracle on its own copy of the store."""

import pyarrow as pa
from tqdm import tqdm

from oracle import create_oracle
from oracle.annotate import Annotator
from oracle.cluster import StoreCopy, judged_by_actors
from pipeline.evaluation.judging import Judges, judge, parts_of


class JudgeAnswers:
    """An annotator in an actor; a batch of answers becomes one row that holds its two tables."""

    def __init__(
        self,
        store: StoreCopy,
        settings: dict,
        catalog: pa.Table | None,
        thought_tags: tuple,
        rec_num: int,
        samples: int,
    ):
        with store.copied() as path:
            self._annotator = Annotator(create_oracle(store=path, **settings), catalog, thought_tags)
        self._rec_num, self._samples = rec_num, samples

    def __call__(self, answers: pa.Table) -> pa.Table:
        completions, verdicts = judge(answers, self._annotator, self._rec_num, self._samples)
        return pa.table({"completions": [_as_bytes(completions)], "verdicts": [_as_bytes(verdicts)]})


def judges_on_ray(annotator: Annotator, catalog: pa.Table | None, rec_num: int) -> Judges:
    """Judges that do as `annotator` does; within `oracle.cluster.cluster`. Raises `UserError` for a store that is too large."""
    import ray.data

    oracle = annotator.oracle
    settings = {"risk_threshold": oracle.risk_threshold, "unresolved": oracle.unresolved, "unrated": oracle.unrated}
    store = StoreCopy(oracle.store)

    def judges(answers: pa.Table, samples: int):
        blocks = ray.data.from_arrow(list(parts_of(answers)))
        blocks.context.enable_progress_bars = False  # they count parts of a thousand answers
        arguments = (store, settings, catalog, annotator.thought_tags, rec_num, samples)
        with tqdm(desc="judging", unit="answer", total=len(answers)) as bar:
            for row in judged_by_actors(blocks, JudgeAnswers, arguments, batch_size=None).iter_rows():
                completions = pa.ipc.open_stream(row["completions"]).read_all()
                yield completions, pa.ipc.open_stream(row["verdicts"]).read_all()
                bar.update(len(completions))

    return judges


def _as_bytes(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()
