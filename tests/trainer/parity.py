"""The same training steps in however many processes torchrun starts; run by test_processes.py.

What a policy samples depends on its process, so answers are given: the n-th of the global batch, whoever asks for it.
"""

import json
import os
import sys
from pathlib import Path

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer

from oracle import create_oracle
from oracle.annotate import Annotator
from oracle.log import LogWriter
from pipeline.training.processes import work_is_done
from tests.trainer.drive import TRAIT
from trainer import RankGRPOConfig, RankGRPOTrainer
from trainer.rewards import make_end_func, make_relevance_func, make_repeat_func, make_safety_func

BATCH, K = 8, 3

ANSWERS = [
    "1. Up (2009)\n2. Frozen (2013)\n3. Saw (2004)",
    "1. Frozen (2013)\n2. Up (2009)\n3. The Thing (1982)",
    "Sure!\n\n1. Saw (2004)\n2. Alien (1979)\n3. Frozen (2013)\n4. Up (2009)",
    "1. Up (2009)\n2. Up (2009)",
    "I would rather not.",
    "1. Nowhere Film (1999)\n2. Frozen (2013)\n3. Alien (1979)\n\nEnjoy!",
    "1. The Thing (1982)\n2. Saw (2004)\n3. Saw (2004)",
]


class GivenAnswers(RankGRPOTrainer):
    """Samples nothing: the answers of a step are a function of the step and of their place in the global batch."""

    def _generate_single_turn(self, prompt_ids, *_args, **_kwargs):
        n = len(prompt_ids)
        first = self.accelerator.process_index * n
        texts = [ANSWERS[(i + self.state.global_step) % len(ANSWERS)] for i in range(first, first + n)]
        ids = self.processing_class(texts, add_special_tokens=False)["input_ids"]
        return [[*row, self.processing_class.eos_token_id] for row in ids], None


def train(folder: Path, name: str, group: int, mode: str, accumulation: int = 1, **options) -> GivenAnswers:
    """4 steps of 8 answers: plain gradient descent, KL, each batch used twice; writes weights and metrics."""
    options = {"beta": 0.1} | options
    annotator = Annotator(create_oracle(store=folder / "store.duckdb"))
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    config = RankGRPOConfig(
        output_dir=str(folder / name), rec_num=K, end_credit=True, advantage_mode=mode, num_generations=group,
        per_device_train_batch_size=BATCH // processes // accumulation,
        per_device_eval_batch_size=BATCH // processes, num_generations_eval=1, gradient_accumulation_steps=accumulation,
        num_iterations=2, max_steps=4, optim="sgd", learning_rate=0.5, lr_scheduler_type="constant",
        max_grad_norm=0.0, max_completion_length=60, logging_steps=1, save_strategy="no", report_to="none",
        use_cpu=True, bf16=False, seed=1, disable_tqdm=True, reward_weights=[1.0, 2.0, 1.0, 0.5],
        **options,
    )  # fmt: skip
    is_main = os.environ.get("RANK", "0") == "0"
    run = {
        "kind": "train", "rec_num": K, "num_generations": group, "advantage_mode": mode, "lambda_end": 1.0, "lambda_repeat": 1.0,
        "w_safe": 2.0, "w_end": 1.0, "w_repeat": 0.5, "length_control": options.get("length_control"),
    }  # fmt: skip
    functions = [
        make_relevance_func(annotator, rec_num=K), make_safety_func(annotator, rec_num=K), make_end_func(annotator, 1.0, K),
        make_repeat_func(annotator, 1.0, K),
    ]  # fmt: skip
    trainer = GivenAnswers(
        AutoModelForCausalLM.from_pretrained(folder / "model"),
        functions,
        config,
        rollout_log=LogWriter(folder / f"{name}.log", run) if is_main else None,
        evaluation_log=LogWriter(folder / f"{name}-evaluation.log", run | EVALUATION) if is_main else None,
        train_dataset=Dataset.from_list(
            [{
                "prompt": "What should I watch next?" + "!" * i, "constraints": [TRAIT] if i % 4 else [],
                "groundtruth_with_release_year": [{"title": "Frozen", "year": 2013}], "seen_titles": [],
            } for i in range(16)]
        ),
        processing_class=AutoTokenizer.from_pretrained(folder / "model"),
    )  # fmt: skip
    trainer.train()
    weights = trainer.accelerator.get_state_dict(trainer.model_wrapped)  # of all processes, where they are sharded
    if is_main:
        torch.save(weights, folder / f"{name}.pt")
        (folder / f"{name}.json").write_text(json.dumps(trainer.state.log_history))
    return trainer


EVALUATION = {"kind": "evaluate", "num_generations": 1}


def evaluate(folder: Path, trainer: GivenAnswers) -> None:
    """Of 3 prompts, so few that two processes are given some again; writes metrics."""
    found = trainer.evaluate(trainer.train_dataset.select(range(1, 4)))
    if trainer.evaluation_log is not None:
        (folder / "evaluation.json").write_text(json.dumps(trainer.state.log_history[-1] | found))
        trainer.evaluation_log.close()


CASES = {
    "groups_of_2_grpo": dict(group=2, mode="grpo", accumulation=2),
    "groups_of_4_gdpo": dict(group=4, mode="gdpo", length_control=0.3),
    "one_group_over_both": dict(group=8, mode="grpo"),
    # Without KL for bnpo: that stays a mean over the tokens of a micro-batch, which are others in two processes.
    **{
        f"ranks_weigh_the_same_{loss}": dict(
            group=2, mode="grpo", accumulation=2, loss_type=loss, rank_weighting="rank", beta=beta
        )
        for loss, beta in (("grpo", 0.1), ("bnpo", 0.0), ("dr_grpo", 0.1), ("dapo", 0.1))
    },
}

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for name, case in CASES.items():
        trainer = train(folder, name, **case)
    evaluate(folder, trainer)
    state = trainer.accelerator.state
    (folder / f"process-{state.process_index}").write_text(
        f"{os.getpid()} of {state.num_processes}, {torch.distributed.get_backend()}"
    )
    work_is_done()  # as train.py: torch's threads abort a process of several now and then while Python takes itself down
