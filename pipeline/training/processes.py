"""The processes that a launcher started, on GPUs and on CPUs alike."""

import atexit
import logging
import os
import sys

import torch
from accelerate import PartialState
from transformers.utils import is_torch_bf16_gpu_available

_is_done = False


def work_is_done() -> None:
    """Say that nothing is left to this process but to end."""
    global _is_done
    _is_done = True


@atexit.register
def leave() -> None:
    """Leave the group of processes; and end at once, if the work is done.

    Threads of torch that still run while Python takes itself down abort the process now and then ("terminate called
    without an active exception"): a launcher then calls a run failed that has done all its work. This was registered
    before what other libraries do at the end, and so comes after it.
    """
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return
    torch.distributed.destroy_process_group()
    if _is_done:
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


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
