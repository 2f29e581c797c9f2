"""The processes that a launcher started, on GPUs and on CPUs alike."""

import os
import sys

import torch
from accelerate import PartialState


def this_process() -> PartialState:
    """This process among the others.

    Without a GPU, accelerate takes each of torchrun's processes for a run of its own unless it is told that CPUs are
    meant; the same goes for the trainers of transformers, which read the environment.
    """
    on_cpu = not torch.accelerator.is_available()
    if on_cpu:
        os.environ["ACCELERATE_USE_CPU"] = "true"
    return PartialState(cpu=on_cpu)


def tell(message: str) -> None:
    """To a person, once for all processes."""
    if this_process().is_main_process:
        print(message, file=sys.stderr)
