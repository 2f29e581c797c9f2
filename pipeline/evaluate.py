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

from pipeline.evaluation.arguments import check_flags, parse
from pipeline.settings.command import command


def main(argv: list[str]) -> None:
    args = parse(argv, __doc__ or "")
    check_flags(args)
    from pipeline.evaluation.runs import evaluate  # brings torch, for which --help shouldn't wait

    evaluate(args)


if __name__ == "__main__":
    command(main, sys.argv[1:], when_stopped="; the answers so far are kept, and the same command goes on")
