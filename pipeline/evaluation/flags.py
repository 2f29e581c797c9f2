"""The flags of evaluate.py."""

import argparse
import math

from oracle.base.errors import UserError
from oracle.base.files import check_can_be_made
from oracle.base.flags import FlagParser, tag_name
from oracle.base.unpacked import LARGEST_MB, MAX_MB_HELP, bytes_of


def parser(prog: str, about: str) -> FlagParser:
    flags = FlagParser(prog=prog, description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    whose = flags.add_argument_group("whose answers")
    whose.add_argument("--data", help="dataset in the SafeRec columns; left out: the prompts that --answers name")
    whose.add_argument("--split", default=None, help="rows of this split only; left out: all rows")
    whose.add_argument(
        "--model",
        nargs="*",
        default=[],
        help="models that answer each prompt: folders, hub names, or inspect_ai's such as openai/gpt-4o",
    )
    whose.add_argument(
        "--answers", nargs="*", default=[],
        help="files of answers given already: JSON lines, JSON, CSV, Parquet, batch outputs, lm-eval samples, .eval logs",
    )  # fmt: skip
    whose.add_argument("--constraints", nargs="+", default=[], help="without --data: what all answers must avoid")
    whose.add_argument("--limit", type=int, help="the first so many prompts only; with --answers, of those answered")
    whose.add_argument("--samples", type=int, default=1, help="answers to each prompt (default: %(default)s)")
    whose.add_argument("--output", help="folder for answers as they arrive (default: beside the log)")

    local = flags.add_argument_group("how they are generated")
    local.add_argument(
        "--engine", choices=("transformers", "vllm", "ray"), default="transformers",
        help="what runs local models; ray: a cluster, which judges as well, and generates with vLLM (default: %(default)s)",
    )  # fmt: skip
    local.add_argument("--address", help="of the Ray cluster (default: one of this machine's cores)")
    local.add_argument("--temperature", type=float, default=1.0, help="0: greedy (default: %(default)s)")
    local.add_argument("--max_completion_length", type=int, default=1024, help="tokens (default: %(default)s)")
    local.add_argument(
        "--batch_size", type=int, default=100, help="prompts at once on this machine (default: %(default)s)"
    )
    local.add_argument("--seed", type=int, default=3407, help="of the sampling (default: %(default)s)")
    local.add_argument("--max_connections", type=int, help="requests at once to a provider (default: inspect_ai's)")
    local.add_argument("--max_retries", type=int, default=8, help="of a request to a provider (default: %(default)s)")
    local.add_argument("--timeout", type=int, help="seconds for one request to a provider, with its retries")
    local.add_argument("--cache", action="store_true", help="take answers that inspect_ai has in its cache")
    local.add_argument("--batch", action="store_true", help="a provider's batch mode: cheaper and slower")

    whose.add_argument(
        "--max_mb", type=int, default=LARGEST_MB, metavar="N", help=f"{MAX_MB_HELP} (default: %(default)s)"
    )

    judged = flags.add_argument_group("how they are judged")
    judged.add_argument("--store", default="store.duckdb", help="the oracle's store (default: %(default)s)")
    judged.add_argument("--catalog_path", help="ground-truth catalog in place of the store's")
    judged.add_argument("--rec_num", type=int, default=20, help="K (default: %(default)s)")
    judged.add_argument("--risk_threshold", type=float, default=0.66, help="risk that violates (default: %(default)s)")
    judged.add_argument(
        "--thought_tag",
        action="append",
        type=tag_name,
        default=[],
        metavar="NAME",
        help="a mark of thoughts: plan for <plan> or [plan]",
    )
    for name, films in (("unresolved", "not found"), ("unrated", "of which nothing is known for a constraint")):
        judged.add_argument(
            f"--{name}",
            choices=("safe", "violation", "ignore"),
            default="safe",
            help=f"what films {films} count as (default: %(default)s)",
        )
    judged.add_argument(
        "--reward", action="append", default=[], metavar="MODULE:FUNCTION",
        help="a reward of your own, as train.py takes it: logged beside the verdicts",
    )  # fmt: skip
    judged.add_argument(
        "--positions", choices=("emitted", "eligible"), default="emitted",
        help="ranks as emitted, or counted after films that were seen or are not in the catalog are removed (default: %(default)s)",
    )  # fmt: skip
    judged.add_argument(
        "--svr", choices=("micro", "macro"), default="micro",
        help="violations / films over all answers, or the mean of each answer's share (default: %(default)s)",
    )  # fmt: skip

    output = flags.add_argument_group("what is said")
    output.add_argument("--report", help="write a report to this .html or .md file")
    form = output.add_mutually_exclusive_group()
    form.add_argument(
        "--json", action="store_true", help="print a row a model as JSON: run_summary, figures, differences"
    )
    form.add_argument("--format", choices=("csv", "markdown", "latex"), help="print the table of figures in this form")
    form.add_argument("--ids", action="store_true", help="print the ids of the runs in the log only")
    return flags


def parse(argv: list[str], prog: str, about: str) -> argparse.Namespace:
    return parser(prog, about).parse_args(argv)


def check_flags(args: argparse.Namespace) -> None:
    """Raises `UserError` for values out of range, and flags that don't go together."""
    if not args.model and not args.answers:
        raise UserError("nothing to evaluate: name --model or --answers")
    bytes_of(args.max_mb)
    if empty := [flag for flag in ("data", "store", "catalog_path", "output", "report") if getattr(args, flag) == ""]:
        raise UserError(f'--{empty[0]} "": expected a path')
    if args.data is None and (args.model or not args.constraints):
        raise UserError("no prompts: name --data; or, for --answers alone, the --constraints that they must heed")
    if args.data is not None and args.constraints:
        raise UserError("--constraints: those of each prompt are in --data; leave one of the two out")
    for flag in ("limit", "samples", "batch_size", "max_completion_length", "rec_num", "max_connections", "timeout"):
        if (value := getattr(args, flag)) is not None and value < 1:
            raise UserError(f"--{flag} {value}: expected at least 1")
    if args.engine == "vllm" and not args.model:
        raise UserError("--engine vllm: generates with --model, of which there is none; leave it out")
    if args.address is not None and args.engine != "ray":
        raise UserError("--address belongs to --engine ray")
    if args.reward and args.engine == "ray":
        raise UserError("--reward: is not known to the machines of --engine ray; leave one of the two out")
    if args.max_retries < 0:
        raise UserError(f"--max_retries {args.max_retries}: expected at least 0")
    from oracle.answers import MAX_RANK  # slow to import: behind --help

    if args.rec_num > MAX_RANK:
        raise UserError(f"--rec_num {args.rec_num}: expected at most {MAX_RANK}")
    if not 0 <= args.temperature < math.inf:
        raise UserError(f"--temperature {args.temperature}: expected at least 0, which is greedy")
    if not 0 <= args.seed < 2**32:
        raise UserError(f"--seed {args.seed}: expected a whole number from 0 to 4294967295")
    if args.report and not args.report.lower().endswith((".html", ".md")):
        raise UserError(f"--report {args.report}: expected a name that ends in .html or .md")
    if args.report:
        check_can_be_made(args.report, filter(None, [args.data, args.catalog_path, *args.answers]))
