#!/usr/bin/env python
"""Supervised fine-tuning: teach a model to answer with a ranked list.

python pipeline/sft.py                                        # the bundled demo
python pipeline/sft.py --train_path redial.parquet --model_name HuggingFaceTB/SmolLM2-135M-Instruct --use_lora
"""

import sys

from oracle.base.command import as_typed, command, go_on_unread, when_stopped


def main(argv: list[str], prog: str = "sft.py") -> None:
    when_stopped("nothing was begun, the same command begins again")
    go_on_unread()
    from pipeline.settings.flags import SftSettings
    from pipeline.settings.parsing import parse_settings

    parsed = parse_settings(SftSettings, prog, argv, demo="sft", help=as_typed(__doc__, prog))
    from pipeline.training.fine_tuning import fine_tune  # slow to import: behind --help
    from pipeline.training.processes import work_is_done

    fine_tune(parsed)
    work_is_done()


if __name__ == "__main__":
    command(main, sys.argv[1:])
