"""Judging on several processes or machines, through Ray Data: each actor has an oracle on its own copy of the store.

An actor that dies is started again, and what it had in hand is judged again. Ray is imported here only, and late.
"""

import logging
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from oracle.base.errors import UserError, in_a_line
from oracle.base.files import left_beside
from oracle.store import alias_files


@contextmanager
def cluster(address: str | None) -> Iterator[None]:
    """A connection to the Ray cluster at `address` ("auto", "host:6379", "ray://host:10001"); None: one of this machine's
    cores, which ends with the block and leaves nothing on disk. One that is there already in this process is used.

    Raises:
        UserError: Ray isn't installed, no cluster answers, or, told by an actor, bad input.
    """
    try:
        import ray
    except ImportError:
        raise UserError("--engine ray: needs Ray; pip install 'safe-rank-grpo[ray]'") from None
    if ray.is_initialized():
        with _in_order(), _told_plainly(), _progress_alone():
            yield
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        local: dict[str, Any] = {}
        if address is None:
            # Without a token of its own, Ray writes one into the home folder.
            os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
            # One core reads while another judges.
            local = {"num_cpus": max(2, os.cpu_count() or 1), "include_dashboard": False, "_temp_dir": folder}
        try:
            ray.init(address, logging_level=logging.ERROR, log_to_driver=False, **local)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise UserError(f"--address {address}: no Ray cluster answers there ({in_a_line(error)})") from None
        try:
            with _in_order(), _told_plainly(), _progress_alone():
                yield
        finally:
            ray.shutdown()


@contextmanager
def _in_order() -> Iterator[None]:
    """Datasets that are made in this block keep the order of their rows, and fail with what the actor raised."""
    import ray.data

    context = ray.data.DataContext.get_current()
    before = context.execution_options.preserve_order, context.raise_original_map_exception
    context.execution_options.preserve_order = context.raise_original_map_exception = True
    try:
        yield
    finally:
        context.execution_options.preserve_order, context.raise_original_map_exception = before


class StoreCopy:
    """A store in Ray's shared memory, from which each actor takes a copy of its own."""

    def __init__(self, store: str | Path):
        """Share the files of a store: what it holds, and what people decided about its titles.

        Raises:
            UserError: no store, or one that is too large to be copied to every machine.
        """
        import ray

        path = Path(store)
        if not path.is_file():
            raise UserError(f"no store at {path}; build one with pipeline/prepare.py or oracle.build_store")
        decided = alias_files(path)
        # What was decided is found beside a copy of this name: of a link it may be that of the store to which it leads.
        self._name = decided[-1].name.removesuffix(".aliases.jsonl")
        files = {self._name + file.name.removeprefix(path.name): file for file in (path, *left_beside(path))}
        files |= {file.name: file for file in decided if file.exists()}
        _check_size(path, sum(file.stat().st_size for file in files.values()))
        self._files = [(name, ray.put(np.fromfile(file, np.uint8))) for name, file in files.items()]

    @contextmanager
    def copied(self) -> Iterator[Path]:
        """The path of a copy on this machine. An oracle that was opened on it keeps what it has mapped when it is gone."""
        import ray

        with tempfile.TemporaryDirectory(prefix="safe-rank-") as folder:
            for name, content in self._files:
                ray.get(content).tofile(Path(folder, name))
            yield Path(folder, self._name)


def _check_size(store: Path, size: int) -> None:
    """Raises `UserError` where the machines can't hold a store: half of their shared memory, or the disk of this one."""
    import ray

    memory = min(node["Resources"].get("object_store_memory", 0) for node in ray.nodes() if node["Alive"])
    if size > memory / 2:
        raise UserError(
            f"{store} has {_size(size)}, and a copy of it goes to each machine, of which the smallest shares {_size(memory)}, "
            "half of it for the store: give Ray more (ray start --object-store-memory), or build a smaller store"
        )
    free, copies = shutil.disk_usage(tempfile.gettempdir()).free, actors()
    if len(ray.nodes()) == 1 and size * copies > free:
        raise UserError(
            f"{store} has {_size(size)}, and {copies} actors need a copy each, but {tempfile.gettempdir()} has "
            f"{_size(free)} free: name a larger folder in TMPDIR, or build a smaller store"
        )


def actors() -> int:
    """How many oracles judge at once: one a core of the cluster."""
    import ray

    return max(1, int(ray.cluster_resources().get("CPU", 1)))


def judged_by_actors(dataset, worker: type, arguments: tuple, batch_size: int | None):
    """A Ray dataset of what `worker(*arguments)`, one an actor, makes of each batch (Arrow tables), in the dataset's order.

    `batch_size`: rows; None: whole blocks.
    """
    import ray.data

    return dataset.map_batches(
        worker, fn_constructor_args=arguments, batch_size=batch_size, batch_format="pyarrow", num_cpus=1,
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=actors()),
    )  # fmt: skip


@contextmanager
def _told_plainly() -> Iterator[None]:
    """What an actor said was wrong with the input, as this process would have said it."""
    logging.getLogger("ray.data.exceptions").setLevel(logging.CRITICAL)  # its traceback
    try:
        yield
    except UserError as error:  # Ray's error is of the actor's class, and its text the actor's traceback
        cause = str(getattr(error, "cause", error))
        raise UserError(cause.split("\nFailed to apply", 1)[0]) from None  # Ray adds how often it tried


@contextmanager
def _progress_alone() -> Iterator[None]:
    """Of what Ray Data tells of its work, how far it is: its bars in a terminal, a line every few seconds in a file."""
    inside = "ray.data._internal"
    levels = {
        f"{inside}.execution.streaming_executor": logging.WARNING,
        f"{inside}.progress": logging.ERROR,
        f"{inside}.progress.logging_progress": logging.INFO,
    }
    before = {name: logging.getLogger(name).level for name in levels}
    lines = logging.getLogger(f"{inside}.progress.logging_progress")
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    lines.addFilter(_is_progress)
    try:
        yield
    finally:
        lines.removeFilter(_is_progress)
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


def _is_progress(record: logging.LogRecord) -> bool:
    return record.getMessage().startswith("Total Progress")


def _size(n: float) -> str:
    return f"{n / 2**30:.1f} GiB" if n >= 2**30 else f"{n / 2**20:.1f} MiB"
