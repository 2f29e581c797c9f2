"""In place of vLLM's engine: it answers what it is told to, and says with which probabilities."""

import math
from types import SimpleNamespace

import torch
from trl.distributed import DistributedBackend

from tests.trainer.drive import SAFE, UNSAFE_AT_3
from tests.trainer.tokenizers import byte_level


class Engine:
    """In place of `trl.generation.VLLMGeneration`.

    Its log-probabilities are `logprobs` for each token; None: exactly those of the policy at its temperature, without
    dropout. `answers`: ids of the next answers, in turn. `logprobs_mode`: what a server says of itself.
    """

    logprobs_mode = "processed_logprobs"

    def __init__(self, **options):
        self.options, self.syncs, self.logprobs = options, 0, -1.0
        self.model, self.mode, self.accelerator = (options[name] for name in ("model", "mode", "accelerator"))
        self._dist = DistributedBackend(self.accelerator)
        server = {"model_config": {"logprobs_mode": self.logprobs_mode}}
        self.vllm_client = SimpleNamespace(get_server_info=lambda: server)
        self.answers = [byte_level()(t)["input_ids"] + [byte_level().eos_token_id] for t in (SAFE, UNSAFE_AT_3)]

    def sync_weights(self):
        self.syncs += 1

    def generate(self, prompts, images, num_generations, profiler=None):
        ids = [self.answers[i % len(self.answers)] for i in range(len(prompts))]
        if self.logprobs is None:
            given = [self._exact(prompt, row) for prompt, row in zip(prompts, ids, strict=True)]
        else:
            given = [[self.logprobs] * len(row) for row in ids]
        return prompts, ids, [[[x] for x in row] for row in given], None

    @torch.no_grad()
    def _exact(self, prompt: list[int], answer: list[int]) -> list[float]:
        model = self.options["model"]
        modes = {module: module.training for module in model.modules()}
        model.eval()
        logits = model(input_ids=torch.tensor([prompt + answer])).logits[0, len(prompt) - 1 : -1]
        for module, mode in modes.items():
            module.training = mode
        scaled = (logits.double() / self.options["temperature"]).log_softmax(-1)
        return scaled.gather(-1, torch.tensor(answer)[:, None])[:, 0].tolist()


def off_by(engine: Engine, deviation: float, seed: int = 0) -> None:
    """Have an exact engine report log-probabilities with a normal error a token."""
    exact, generator = engine._exact, torch.Generator().manual_seed(seed)
    engine.logprobs = None
    engine._exact = lambda prompt, answer: [  # type: ignore[method-assign]
        x + deviation * torch.randn((), generator=generator).item() for x in exact(prompt, answer)
    ]


def unknown_at(engine: Engine, position: int) -> None:
    """Have the engine report no probability for one token of each answer, as vLLM does where it is NaN."""
    exact = engine._exact
    engine._exact = lambda prompt, answer: [  # type: ignore[method-assign]
        math.nan if i == position else x for i, x in enumerate(exact(prompt, answer))
    ]
