"""The bytes that the forward pass keeps for the backward pass, from the shapes of the model alone.

As Korthikanti et al. 2022 ("Reducing Activation Recomputation in Large Transformer Models", section 4.1) add them up for
GPT: what each operation of a layer has to keep. Here for layers as Llama, Mistral and Qwen have them: norms without mean,
grouped keys and values, a gated MLP, attention that keeps no scores (Dao et al. 2022, "FlashAttention").
"""

from peft import PeftModel
from peft.tuners.lora import LoraLayer
from torch import nn
from transformers import PretrainedConfig, PreTrainedModel
from transformers.pytorch_utils import Conv1D

_TILE_TOKENS, _TILE_TERMS = 4096, 32768  # TOKEN_CHUNK_SIZE and _CHUNKED_LOGPROB_CHUNK_SIZE of TRL
_FOLD = 7 * 4 + 1  # seven float32 and a bool, which its `_backward_tile` holds of each value at once


def layer_bytes(model: PreTrainedModel | PeftModel, compute: int, cuda: bool) -> int:
    """Bytes that a layer keeps, a token.

    With hidden size h, m in the MLP, q and k values of all query and key heads, c = `compute` bytes a value:

    | kept by | values | bytes each |
    | --- | --- | --- |
    | the two norms | 4 h, of which 2 h for weights that aren't trained | 4: they compute in float32 |
    | attention | 2 q + 2 k: queries, output, keys, values | c |
    | the MLP | 3 m: gate, its activation, up | c |
    | each linear layer that is trained | its input; one, where several read the same in float32 | c |
    | each adapter | r | c |
    | its dropout | a mask of its input | CUDA 1, CPU 4 |
    """
    architecture = _architecture(model)
    h, layers = architecture.hidden_size, architecture.num_hidden_layers
    queries, keys = head_values(architecture)
    mlp = 3 * getattr(architecture, "intermediate_size", 4 * h)
    norms = 4 if any(p.dim() == 1 and p.requires_grad for p in model.parameters()) else 2
    head = model.get_output_embeddings()
    inputs: dict[tuple, int] = {}
    ranks = masks = 0
    for name, module in model.named_modules():
        parent = name.rpartition(".")[0]
        if isinstance(module, LoraLayer):
            n, drops = (
                int(module.in_features or 0),
                any(isinstance(d, nn.Dropout) for d in module.lora_dropout.values()),
            )
            ranks += sum(module.r.values())
            masks += n * drops
        elif isinstance(module, nn.Linear | Conv1D) and module.weight.requires_grad and module is not head:
            n, drops = module.weight.shape[0 if isinstance(module, Conv1D) else 1], False
        else:
            continue
        if ".lora_" not in name:
            # What is cast to bfloat16, or dropped, is another tensor each time.
            inputs[(parent, n) if compute == 4 and not drops else (name,)] = n
    own = sum(inputs.values()) + ranks
    return (
        norms * h * 4 + (2 * queries + 2 * keys + mlp + own // layers) * compute + masks // layers * (1 if cuda else 4)
    )


def activation_bytes(model: PreTrainedModel | PeftModel, compute: int, cuda: bool, checkpointing: bool) -> int:
    """Bytes that all layers keep, a token, and what the backward pass of one layer holds for a moment. Checkpointing keeps the
    input of each layer, in the dtype of the weights, and one layer at a time in full."""
    architecture, layer = _architecture(model), layer_bytes(model, compute, cuda)
    passing = passing_bytes(model, compute)
    if not checkpointing:
        return architecture.num_hidden_layers * layer + passing
    weights = next(p for name, p in model.named_parameters() if "lora_" not in name)
    return architecture.num_hidden_layers * architecture.hidden_size * weights.element_size() + layer + passing


def passing_bytes(model: PreTrainedModel | PeftModel, compute: int) -> int:
    """Bytes that the MLP of a layer holds in its backward pass beside what the layer keeps, a token: gradients of gate and up.
    An adapter that computes in float32 holds more while its layer is made again: the input of `down`, cast and dropped out."""
    h, m = _mlp_sizes(model)
    size, drops = _adapter(model, inputs=m)
    if size in (0, compute):
        return (2 * m + h) * compute
    return m * compute + (m + 3 * h + drops * m) * size


def output_layer_bytes(
    model: PreTrainedModel | PeftModel, compute: int, cuda: bool, rows: int, tokens: tuple[int, int]
) -> int:
    """Bytes that the output layer holds in the backward pass, all activations beside it.

    TRL never has the scores of all tokens for all terms of the vocabulary: it makes them in tiles of 4,096 tokens x 32,768
    terms (`trl.kernels.ChunkedLogProbFunction`). With CUDA a kernel turns a tile into its gradient in place, for the tokens
    of the answers. On a CPU PyTorch does it, in 29 bytes a value more, for those of the prompts as well.

    Args:
        rows: answers at once.
        tokens: of a prompt, and of an answer.
    """
    architecture, (prompt, answer) = _architecture(model), tokens
    scored = rows * (answer if cuda else prompt + answer)
    terms = _TILE_TERMS if cuda else min(architecture.vocab_size, _TILE_TERMS)
    tile = min(scored, _TILE_TOKENS) * terms * (compute + (0 if cuda else _FOLD))
    hidden = scored * architecture.hidden_size * (4 + 4 + compute)  # the last norm's, its gradient, and a copy
    trained = model.get_output_embeddings().weight.requires_grad  # type: ignore[union-attr]
    return tile + hidden + trained * architecture.vocab_size * architecture.hidden_size * 4


def generation_bytes(
    model: PreTrainedModel | PeftModel, compute: int, cuda: bool, answers: int, tokens: tuple[int, int]
) -> int:
    """Bytes of answering with transformers: keys and values, and beside those of the prompts what one layer's MLP makes of all
    prompts at once.

    | held while the MLP computes | values a token | bytes each |
    | --- | --- | --- |
    | the residual, the norm's output and copies | 4 h | c |
    | gate and up | 2 m | c |
    | their product; or, with an adapter on `up`, | m | c |
    | its output, before and after it is scaled, | 2 m | the adapter's, as a rule 4 |
    | and its input, where it was cast | h | the adapter's |
    | on a CPU, up once more where it was cast | m | the adapter's |

    Args:
        answers: generated at once.
        tokens: of a prompt, and of an answer.
    """
    (h, m), (prompt, answer) = _mlp_sizes(model), tokens
    first = (4 * h + 2 * m) * compute
    if size := _adapter(model, outputs=m)[0]:
        first += (2 * m + (size != compute) * (h + (not cuda) * m)) * size
    else:
        first += m * compute
    cache = cache_values(model) * compute
    return answers * (cache * prompt + max(first * prompt, cache * answer))


def cache_values(model: PreTrainedModel | PeftModel) -> int:
    """Keys and values of all layers, a token."""
    architecture = _architecture(model)
    return 2 * architecture.num_hidden_layers * head_values(architecture)[1]


def head_values(architecture: PretrainedConfig) -> tuple[int, int]:
    """Values of all query heads, and of all key heads, a token and layer."""
    heads = architecture.num_attention_heads
    size = getattr(architecture, "head_dim", None) or architecture.hidden_size // heads
    return heads * size, (getattr(architecture, "num_key_value_heads", None) or heads) * size


def _mlp_sizes(model: PreTrainedModel | PeftModel) -> tuple[int, int]:
    """Values of a token outside and inside the MLP."""
    architecture = _architecture(model)
    return architecture.hidden_size, getattr(architecture, "intermediate_size", 4 * architecture.hidden_size)


def _adapter(
    model: PreTrainedModel | PeftModel, inputs: int | None = None, outputs: int | None = None
) -> tuple[int, bool]:
    """Bytes a value of the adapter on a linear layer of so many inputs or outputs, and whether it has dropout; 0 without one."""
    for module in model.modules():
        if not isinstance(module, LoraLayer) or inputs not in (None, module.in_features):
            continue
        if outputs in (None, module.out_features):
            weights = next(p for name, p in module.named_parameters() if name.startswith("lora_A"))
            return weights.element_size(), any(isinstance(d, nn.Dropout) for d in module.lora_dropout.values())
    return 0, False


def _architecture(model: PreTrainedModel | PeftModel) -> PretrainedConfig:
    return model.config.get_text_config()  # type: ignore[union-attr]
