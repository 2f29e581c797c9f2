"""What the processes of the soak do, each until it is killed. A line on standard output is a piece of work, or a trouble."""

import itertools
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Error as PlaywrightError

from oracle import UserError
from oracle.log import LogWriter, ask, compact, open_audit, open_log, query
from tests.app.screenshots import PAGES, chromium, served, visit
from tests.soak import timing
from tests.tiny_log import STEP_1, STEP_2, step_tables

ODD, EVEN = 13, 12  # rows of verdicts of such a step
TIMED_APP = Path(__file__).with_name("timed_app.py")
# Grain: one run. wrong: up to three steps with another number of verdicts than were written.
SEEN = f"""
select run_id, count(*) as steps, max(step) as last, (list(step) filter (n <> if(step % 2 = 1, {ODD}, {EVEN})))[:3] as wrong
from (select run_id, step, count(*) as n from verdicts group by all) group by run_id
"""
ASKED = ("penalties_by_rank", "worst_films", "rederivation", "stricter_threshold", "unresolved_titles")


def write(store: str, run: str) -> None:
    """Go on with a run from its last step."""
    odd, even = step_tables(STEP_1), step_tables(STEP_2)
    with _resumed(Path(store).with_suffix(".log"), run) as writer:
        for step in itertools.count(max(writer.steps(), default=0) + 1):
            writer.write_step(step, *(odd if step % 2 else even))
            said("step")
            time.sleep(0.05)


def _resumed(root: Path, run: str) -> LogWriter:
    """The compactor may hold the run."""
    while True:
        try:
            return LogWriter.resume(root, run)
        except UserError as error:
            if "another process" not in str(error):
                raise
            said("held")
            time.sleep(0.1)


def merge(store: str) -> None:
    """Merge whatever no writer holds."""
    root = Path(store).with_suffix(".log")
    while True:
        for folder in sorted(root.glob("[0-9]*")):
            try:
                done = compact(root, folder.name, wait=False)
                said("merge" if done.steps_merged or done.folders_removed else "look")
            except UserError as error:  # it is being written
                said("held" if "another process" in str(error) else f"trouble {error}")
        time.sleep(1)


def read(store: str) -> None:
    """Ask views and named queries; in what is counted no step may stand twice, or in part, or lack that was there before."""
    last: dict[str, int] = {}  # step of a run that was seen
    with open_audit(store) as audit:
        query(audit, "select 1")
        for number in itertools.count():
            runs = {row.pop("run_id"): row for row in query(audit, SEEN).to_pylist()}
            for run, row in runs.items():
                if row["wrong"] or row["steps"] != row["last"]:
                    said(f"trouble wrong steps of {run}: {row['wrong']}, {row['steps']} steps up to {row['last']}")
            if lost := [run for run in last if run not in runs or runs[run]["last"] < last[run]]:
                said(f"trouble steps are gone of {lost}, in which was step {[last[run] for run in lost]}")
            last |= {run: row["last"] for run, row in runs.items()}
            ask(audit, ASKED[number % len(ASKED)])
            said("query")
            time.sleep(0.2)


def browse(store: str, notes: str) -> None:
    """Open every page of the app in a browser, again and again; `notes` is the file that says what pages waited for."""
    os.environ[timing.FILE] = notes
    with served(Path(store), TIMED_APP) as address, chromium() as browser:
        for name, path in itertools.cycle(PAGES.items()):
            begun = time.monotonic()
            page = browser.new_page()
            try:
                visit(page, f"{address}/{path}")
            except PlaywrightError as error:
                said(f"trouble page {name}: {error.message.splitlines()[0]}; {waited(begun, notes)}")
            else:
                text = page.inner_text("body")
                fine = not any(wrong in text for wrong in ("Cannot open file", "was not answered", "cannot be shown"))
                said(f"page {name} {waited(begun, notes)}" if fine else f"trouble page {name}: {text[:300]}")
            page.close()


def waited(begun: float, notes: str) -> str:
    """ "12.3 s, of it 9.1 s for 7 queries, the longest curves, 3.2 s"."""
    seconds = time.monotonic() - begun
    queries = timing.noted(Path(notes), begun)
    of_it = f", of it {sum(s for s, _ in queries):.1f} s for {len(queries)} queries"
    longest, name = max(queries, default=(0.0, ""))
    return f"{seconds:.1f} s" + (f"{of_it}, the longest {name}, {longest:.1f} s" if queries else "")


def said(text: str) -> None:
    print(" ".join(text.split()), flush=True)


def counted(store: str, run: str) -> list[tuple[int, int]]:
    """(step, verdicts) of a run, in order."""
    with open_log(Path(store).with_suffix(".log")) as log:
        sql = "select step, count(*) from verdicts where run_id = ? group by step order by step"
        return log.execute(sql, [run]).fetchall()


if __name__ == "__main__":
    work: dict[str, Callable[..., None]] = {"write": write, "merge": merge, "read": read, "browse": browse}
    try:
        work[sys.argv[1]](*sys.argv[2:])
    except Exception as error:
        said(f"trouble {type(error).__name__}: {error}")
        raise
