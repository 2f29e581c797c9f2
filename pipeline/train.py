#!/usr/bin/env python
"""Safe-Rank-GRPO: train a recommender with one reward and one advantage per rank; every verdict goes to the log.

    python pipeline/train.py                                      # the bundled demo, from nothing
    python pipeline/train.py --train_path redial.parquet --model_name SmolLM2-135M --max_steps 100 --use_lora
    python pipeline/train.py --config my.yaml --dry_run           # check, and see steps and memory, before it costs
    python pipeline/train.py --resume                             # go on with the newest run
    accelerate launch --config_file pipeline/configs/accelerate/two_gpus.yaml \\
        pipeline/train.py --config pipeline/configs/two_gpus.yaml --train_path …

A run's checkpoints are in runs/<run id>/, its verdicts in the log beside the store: <store>.log/<run id>/.
"""

import sys

from oracle.base.command import as_typed, command, go_on_unread, when_stopped


def main(argv: list[str], prog: str = "train.py") -> None:
    when_stopped("nothing was begun, the same command begins again")
    go_on_unread()
    from pipeline.settings.flags import TrainSettings
    from pipeline.settings.parsing import parse_settings

    parsed = parse_settings(TrainSettings, prog, argv, demo="train", help=as_typed(__doc__, prog))
    from pipeline.training.processes import work_is_done  # slow to import: behind --help
    from pipeline.training.session import train

    train(parsed)
    work_is_done()


if __name__ == "__main__":
    command(main, sys.argv[1:])
