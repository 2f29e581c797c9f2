"""The processes that a launcher started, on GPUs and on CPUs alike."""

import atexit
import os
import sys

import torch
from accelerate import PartialState
from transformers.utils import is_torch_bf16_gpu_available

from oracle.base.command import end_at_once


@atexit.register
def leave() -> None:
    """Leave the group of processes, if there is one."""
    if _is_in_group():
        torch.distributed.destroy_process_group()


def work_is_done() -> None:
    """Say that nothing is left to this process but to end: one of a group then ends at once.

    Threads of torch that still run while Python takes itself down abort the process now and then ("terminate called
    without an active exception"), and a launcher calls a run failed that has done all its work.
    """
    if _is_in_group():
        end_at_once()


def _is_in_group() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_initialized()


def this_process() -> PartialState:
    """This process among the others.

    Without a GPU, accelerate takes each of torchrun's processes for a run of its own unless it is told that CPUs are
    meant; the same goes for the trainers of transformers, which read the environment.
    """
    if on_cpu():
        os.environ["ACCELERATE_USE_CPU"] = "true"
    return PartialState(cpu=on_cpu())


def on_cpu() -> bool:
    """Whether there is no accelerator here that has float64, as Apple's MPS has not. transformers' trainers compute in
    bfloat16 on a CPU only when told so."""
    return not torch.accelerator.is_available() or torch.backends.mps.is_available()


def has_bf16() -> bool:
    """Whether bfloat16 is computed by the hardware here, not emulated."""
    if not on_cpu():
        return is_torch_bf16_gpu_available()
    can = torch.cpu.get_capabilities()
    return bool(can.get("avx512_bf16") or can.get("amx_bf16") or can.get("bf16"))


def tell_if_alone() -> None:
    """Say so where accelerate launch, which knows several processes on GPUs only, has started a single one."""
    if on_cpu() and "ACCELERATE_DYNAMO_BACKEND" in os.environ and "LOCAL_RANK" not in os.environ:
        tell(
            "accelerate launch starts a single process where there is no GPU; torchrun --nproc_per_node N starts several"
        )


def tell(message: str) -> None:
    """To a person, once for all processes."""
    if this_process().is_main_process:
        print(message, file=sys.stderr)
