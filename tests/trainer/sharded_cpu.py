"""A module or file under FSDP or DeepSpeed on CPUs, with the configuration files that we ship:

accelerate launch --config_file pipeline/configs/accelerate/fsdp.yaml -m tests.trainer.sharded_cpu MODULE|FILE …

accelerate sends CPUs past both. That one decision is taken out here; wrapping, sharding, communication (gloo),
gradients and checkpoints are those of the real libraries.
"""

import os
import runpy
import sys
from pathlib import Path

import accelerate.state
import pytest
from accelerate.utils import DistributedType, is_deepspeed_available

ROOT = Path(__file__).parents[2]
KINDS = [
    "fsdp",
    pytest.param(
        "deepspeed", marks=pytest.mark.skipif(not is_deepspeed_available(), reason="DeepSpeed is not installed")
    ),
]


def launch(kind: str, *what: str) -> tuple[list[str], dict[str, str]]:
    """A command that runs `what` in two processes, and its environment. float32, as no two sums in bfloat16 agree."""
    config = str(ROOT / "pipeline" / "configs" / "accelerate" / f"{kind}.yaml")
    command = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", config, "--mixed_precision", "no"]
    environment = os.environ | {"DS_ACCELERATOR": "cpu", "OMP_NUM_THREADS": "1"}
    return [*command, "--main_process_port", "0", "-m", "tests.trainer.sharded_cpu", *what], environment


def let_cpus_be_sharded() -> None:
    """Have accelerate treat processes on CPUs as it treats those on GPUs, but for the device."""
    state, shared = accelerate.state.AcceleratorState, accelerate.state.PartialState._shared_state
    initialise = state.__init__

    def on_cpus(self, *args, **kwargs):
        if not shared:
            accelerate.state.PartialState(cpu=True)
        if os.environ.get("ACCELERATE_USE_DEEPSPEED") == "true":
            from deepspeed import comm

            if not comm.is_initialized():
                comm.init_distributed(dist_backend="gloo", auto_mpi_discovery=False)
        elif shared["distributed_type"] == DistributedType.MULTI_CPU:
            shared["distributed_type"] = DistributedType.MULTI_GPU
        os.environ.pop("ACCELERATE_USE_CPU", None)
        initialise(self, *args, **kwargs | {"cpu": False})
        os.environ["ACCELERATE_USE_CPU"] = "true"

    state.__init__ = on_cpus


if __name__ == "__main__":
    if "true" in (os.environ.get("ACCELERATE_USE_FSDP"), os.environ.get("ACCELERATE_USE_DEEPSPEED")):
        let_cpus_be_sharded()
    del sys.argv[0]
    run = runpy.run_path if sys.argv[0].endswith(".py") else runpy.run_module
    from pipeline.training import processes  # noqa: F401  (it has each process leave the group when it ends)

    run(sys.argv[0], run_name="__main__")
