"""The machine that a run is planned for: this one, or one that `--assume_gpus` describes."""

import os
import re
from dataclasses import dataclass

import torch

from oracle import UserError
from pipeline.training.processes import has_bf16, this_process

_GPUS = re.compile(r"(?:(\d+)x)?(\d+(?:\.\d+)?)(GB|GiB)", re.IGNORECASE)
_BYTES = {"gb": 10**9, "gib": 2**30}


@dataclass(frozen=True)
class Machine:
    """What a plan needs to know of a machine.

    Attributes:
        processes: of the training, one to each GPU.
        memory: bytes of each GPU; of the whole machine where there is none.
        cuda: whether the processes compute on GPUs with CUDA.
        bf16: whether bfloat16 is computed by the hardware, not emulated.
        is_here: whether it is this one.
    """

    processes: int
    memory: int
    cuda: bool
    bf16: bool = True
    is_here: bool = True


def planned_machine(assume_gpus: str | None) -> Machine:
    """This machine, or for "2x46GB" two processes on GPUs of 46 · 10⁹ bytes each; "46GiB" is one of 46 · 2³⁰.

    Raises:
        UserError: a text that says neither.
    """
    if assume_gpus is None:
        cuda = torch.cuda.is_available()
        memory = (
            torch.cuda.get_device_properties(0).total_memory
            if cuda
            else os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        )
        return Machine(this_process().num_processes, memory, cuda, has_bf16())
    match = _GPUS.fullmatch(assume_gpus.replace(" ", ""))
    count, size = (int(match[1] or 1), float(match[2])) if match else (0, 0.0)
    if not match or not count or not size:
        raise UserError(f"--assume_gpus {assume_gpus}: expected GPUs and the memory of each, such as 2x46GB or 1x80GiB")
    return Machine(count, int(size * _BYTES[match[3].lower()]), cuda=True, is_here=False)
