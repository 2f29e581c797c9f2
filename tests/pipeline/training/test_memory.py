"""The memory that `--dry_run` expects, beside what autograd keeps and the allocator gives out."""

from pathlib import Path

import pytest
import torch
from peft import get_peft_model
from transformers import AutoConfig, AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from pipeline.settings.flags import LORA_TARGETS
from pipeline.settings.trl_config import trainer_config
from pipeline.training.activations import activation_bytes, generation_bytes, output_layer_bytes
from pipeline.training.machine import Machine
from pipeline.training.memory import expected_memory, peak, vllm_answers
from pipeline.training.models import empty_adapter, empty_model, lora_config
from tests.pipeline.training.planned import nbytes, settings_of


def _tile_of_trl() -> tuple[int, int] | None:
    try:
        from trl.kernels.chunked_logprob import TOKEN_CHUNK_SIZE
        from trl.trainer.utils import _CHUNKED_LOGPROB_CHUNK_SIZE
    except ImportError:  # the oldest that is supported
        return None
    return TOKEN_CHUNK_SIZE, _CHUNKED_LOGPROB_CHUNK_SIZE


TRL_TILE = _tile_of_trl()


def memory_of(small: Path, flags: list[str], machine: Machine, model=None) -> dict[str, int]:
    settings = settings_of(flags)
    config = trainer_config(settings, [1.0, 1.0], "unused")
    return expected_memory(settings, config, model or empty_model(f"{small}/model"), 10, machine)


def test_8_bit_states_of_embeddings_and_small_tensors_take_4_bytes(small_flags, small):
    model = llama(torch.float32, None)
    embeddings = {id(m.weight) for m in model.modules() if isinstance(m, torch.nn.Embedding)}
    sizes = [(p.numel(), id(p) in embeddings) for p in model.parameters()]
    expected = 2 * sum(n * (4 if embedded or n < 4096 else 1) for n, embedded in sizes)
    flags = [*small_flags, "--optim", "paged_adamw_8bit"]
    assert memory_of(small, flags, Machine(1, 10**9, cuda=True), model)["optimiser"] == expected
    assert 2 * sum(n for n, _ in sizes) < expected < 8 * sum(n for n, _ in sizes)  # the model has some of each kind


def test_ddp_keeps_the_gradients_twice_and_sharding_divides_them(small_flags, small, monkeypatch):
    def gradients(processes: int) -> int:
        return memory_of(small, small_flags, Machine(processes, 10**9, cuda=False))["gradients"]

    one = nbytes(empty_model(f"{small}/model").parameters())
    assert (gradients(1), gradients(2)) == (one, 2 * one)
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    assert gradients(2) == one // 2


def test_on_cuda_the_optimisers_step_holds_the_trained_weights_once_more_and_only_for_a_moment(small_flags, small):
    def memory(cuda: bool, *flags: str) -> dict[str, int]:
        return memory_of(small, [*small_flags, *flags], Machine(1, 10**9, cuda))

    assert "optimiser's step" not in memory(False)
    assert "optimiser's step" not in memory(True, "--optim", "adamw_torch_fused")
    assert memory(True)["optimiser's step"] == nbytes(empty_model(f"{small}/model").parameters())
    passing = {"activations (estimated)": 3, "output layer (estimated)": 4, "optimiser's step": 6}
    assert peak({"weights": 1} | passing | {"generation (estimated)": 5}) == 8
    assert peak({"weights": 1} | passing | {"generation (estimated)": 9}) == 10


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize(
    ("dropout", "bf16"), [(None, False), (None, True), (0.0, False), (0.0, True), (0.05, False), (0.05, True)]
)
def test_activations_are_estimated_within_a_tenth_of_what_autograd_keeps(dropout, bf16, checkpointing, small):
    def a_token(layers: int) -> tuple[int, float]:
        rows, length = 4, 50
        model = _of_layers(small, layers, torch.bfloat16 if bf16 and dropout is not None else torch.float32)
        if dropout is not None:
            model = get_peft_model(model, lora_config(2, 32, dropout, LORA_TARGETS))  # type: ignore[assignment]
        if checkpointing:
            model.gradient_checkpointing_enable({"use_reentrant": False})
            model.enable_input_require_grads()
        kept: list[torch.Tensor] = []  # held, so that no two share an address
        with (
            torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t),
            torch.autocast("cpu", torch.bfloat16, enabled=bf16),
        ):
            model.train().get_decoder()(input_ids=torch.zeros((rows, length), dtype=torch.long))
        # Weights, and copies of them in bfloat16, have no value for each token.
        storages = [t.untyped_storage() for t in kept if {length, rows * length} & set(t.shape)]
        measured = sum({s.data_ptr(): s.nbytes() for s in storages}.values()) / (rows * length)
        return activation_bytes(model, 2 if bf16 else 4, cuda=False, checkpointing=checkpointing), measured

    few, more = a_token(2), a_token(4)
    assert more[0] - few[0] == pytest.approx(more[1] - few[1], rel=0.1)


def _of_layers(small: Path, layers: int, dtype: torch.dtype):
    config = AutoConfig.from_pretrained(f"{small}/model", num_hidden_layers=layers)
    return AutoModelForCausalLM.from_config(config, dtype=dtype)


def test_generation_holds_all_keys_and_values_and_the_mlp_of_the_prompts(small_flags, small):
    c = empty_model(f"{small}/model").config
    keys_and_values = 2 * c.num_hidden_layers * c.num_key_value_heads * (c.hidden_size // c.num_attention_heads)
    # 4 answers a device, of two batches at once; prompts of 10 tokens
    expected = 4 * 2 * 4 * 10 * (keys_and_values + 3 * c.intermediate_size + 4 * c.hidden_size)
    assert memory_of(small, small_flags, Machine(1, 10**9, cuda=False))["generation (estimated)"] == expected
    assert "generation (estimated)" not in memory_of(small, [*small_flags, "--use_vllm"], Machine(1, 10**9, cuda=True))
    # Answers that are so long that their keys and values are more than what the MLP makes of the prompts
    assert generation_bytes(empty_model(f"{small}/model"), 4, False, 8, (10, 99)) == 8 * 4 * keys_and_values * 109


def llama(dtype: torch.dtype, dropout: float | None) -> LlamaForCausalLM:
    """Wide enough for activations to outweigh the rest; with an adapter unless its dropout is None."""
    config = LlamaConfig(
        hidden_size=128, intermediate_size=640, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2,
        vocab_size=50,
    )  # fmt: skip
    model = LlamaForCausalLM(config).to(dtype)
    return model if dropout is None else get_peft_model(model, lora_config(4, 32, dropout, LORA_TARGETS))


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("bf16", [False, True])
@pytest.mark.parametrize("dropout", [None, 0.0, 0.05])
def test_a_backward_pass_is_estimated_within_a_tenth_of_what_the_allocator_counts(dropout, bf16, checkpointing):
    model = llama(torch.bfloat16 if bf16 and dropout is not None else torch.float32, dropout)
    if checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
        model.enable_input_require_grads()

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            hidden = model.train().get_decoder()(input_ids=torch.ones((16, 256), dtype=torch.long)).last_hidden_state
        hidden.float().mean().backward()

    step()  # makes the gradients
    with torch.profiler.profile(profile_memory=True) as profile:
        step()
    expected = 16 * 256 * activation_bytes(model, 2 if bf16 else 4, cuda=False, checkpointing=checkpointing)
    assert most_held(profile) == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("adapter", [False, True])
def test_generation_is_estimated_within_a_tenth_of_what_the_allocator_counts(dtype, adapter):
    model = llama(dtype, 0.05 if adapter else None)
    prompts = torch.randint(3, 49, (16, 256))
    with torch.no_grad(), torch.profiler.profile(profile_memory=True) as profile:
        model.eval().generate(input_ids=prompts, max_new_tokens=2, do_sample=True, pad_token_id=0)
    expected = generation_bytes(model, dtype.itemsize, False, 16, (256, 2))
    assert most_held(profile) == pytest.approx(expected, rel=0.1)
    if adapter:  # 16 x 256 tokens; with CUDA nothing is cast before it is added
        cast = 16 * 256 * 640 * 4 if dtype == torch.bfloat16 else 0
        assert expected - generation_bytes(model, dtype.itemsize, True, 16, (256, 2)) == cast


def most_held(profile: torch.profiler.profile) -> int:
    """Bytes that the allocator had given out at most."""
    held = most = 0
    for event in sorted(profile.profiler.kineto_results.events(), key=lambda e: e.start_ns()):
        if event.name() == "[memory]":
            held += event.nbytes()
            most = max(most, held)
    return most


@pytest.mark.skipif(TRL_TILE is None, reason="this TRL makes no tiles")
def test_the_output_layer_is_counted_in_tiles_of_trls_size(small):
    assert TRL_TILE == (4096, 32768)
    model = empty_model(f"{small}/model")
    vocab, h, rows, tokens = model.config.vocab_size, model.config.hidden_size, 64, (90, 10)
    gradient = vocab * h * 4  # of the weights of the layer, which are trained here
    # On a CPU all 6,400 tokens in tiles of 4,096, each value of 4 bytes and 29 more; with CUDA the 640 of the answers.
    on_cpu, on_cuda = (output_layer_bytes(model, 4, cuda, rows, tokens) for cuda in (False, True))
    assert on_cpu == 4096 * vocab * (4 + 29) + 6400 * h * 12 + gradient
    assert on_cuda == 640 * 32768 * 4 + 640 * h * 12 + gradient


@pytest.mark.skipif(TRL_TILE is None, reason="this TRL makes no tiles")
def test_a_tile_takes_29_bytes_a_value_more_where_pytorch_folds_it():
    """What TRL's function holds at most while it makes a tile of scores their gradient, counted by the allocator."""
    from trl.kernels.chunked_logprob import _backward_tile

    tokens, terms = 64, 512
    tile, row = torch.randn(tokens, terms), torch.randn(tokens)
    with torch.profiler.profile(profile_memory=True) as profile:
        _backward_tile(
            tile, terms, torch.zeros(tokens, dtype=torch.long), row, row, row, row, 0, terms, logit_scale=1.0,
            softcap=1.0, inv_t=1.0, HAS_SOFTCAP=False, HAS_LOGPROB_GRAD=True, HAS_ENTROPY_GRAD=False, BLOCK_SIZE=1024,
        )  # fmt: skip
    assert most_held(profile) / tile.numel() == pytest.approx(29, abs=0.5)


def test_dropout_masks_are_bytes_on_cuda_and_floats_here(small):
    def one(cuda: bool) -> int:
        return activation_bytes(model, 4, cuda, checkpointing=False)

    base = empty_model(f"{small}/model")
    h, m, layers = (getattr(base.config, n) for n in ("hidden_size", "intermediate_size", "num_hidden_layers"))
    model = empty_adapter(base, lora_config(2, 32, 0.05, LORA_TARGETS))
    assert one(cuda=False) - one(cuda=True) == layers * 3 * (6 * h + m)


def test_vllms_answers_are_what_its_share_holds_beside_the_weights(small_flags, small):
    settings = settings_of([*small_flags, "--use_vllm", "--vllm_gpu_memory_utilization", "0.5"])
    model = empty_model(f"{small}/model")
    c = model.config
    head = c.hidden_size // c.num_attention_heads
    a_token = 2 * c.num_hidden_layers * c.num_key_value_heads * head * 4
    machine = Machine(1, 2 * (nbytes(model.parameters()) + 3 * 16 * a_token), cuda=True)
    assert vllm_answers(settings, model, 16, machine) == pytest.approx(3)


def test_an_adapter_of_sft_is_planned_as_one_that_is_trained(small):
    lora = lora_config(2, 32, 0.0, LORA_TARGETS)
    lora.inference_mode = True  # as it is saved
    model = empty_adapter(empty_model(f"{small}/model"), lora)
    assert sum(p.requires_grad for p in model.parameters()) == 14 * model.config.num_hidden_layers
