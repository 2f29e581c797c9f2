#!/usr/bin/env python
"""Evaluate models, or answers that any model gave, on the same path as training: parse, resolve, judge, log, SQL.

    python pipeline/evaluate.py --data conversations.parquet --split heldout --model demo/seed-3407/sft runs/…/final
    python pipeline/evaluate.py --data conversations.parquet --model openai/gpt-4o-mini ollama/llama3.2 --samples 3
    python pipeline/evaluate.py --data conversations.parquet --answers gpt4.jsonl batch_output.jsonl --report report.html
    python pipeline/evaluate.py --answers completions.jsonl --constraints gore        # prompts known by their ids only

Violation rates are over samples with constraints; the shares of what is unknown stand beside them, always. Answers are
kept as they arrive: the same command goes on where it was stopped.
"""

import sys

from oracle.base.command import as_typed, command, go_on_unread, when_stopped


def main(argv: list[str], prog: str = "evaluate.py") -> None:
    when_stopped("the answers so far are kept, and the same command goes on", "--batch_size or --max_completion_length")
    go_on_unread()
    from pipeline.evaluation.flags import check_flags, parse

    args = parse(argv, prog, as_typed(__doc__, prog))
    check_flags(args)
    from pipeline.evaluation.runs import evaluate  # brings torch, for which --help shouldn't wait

    evaluate(args)


if __name__ == "__main__":
    command(main, sys.argv[1:])
