"""A recommender small enough to train on two CPU cores: a tokenizer made from the data and a Llama of about 1 M parameters.

The tokenizer learns whole words, "(1979)" and "\\n12. " as single tokens from conversations and answers, so that a list
of 20 films is about 90 tokens long. Nothing else here knows about films.
"""

from collections.abc import Iterable

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase, PreTrainedTokenizerFast, set_seed

PAD, EOS, USER, ASSISTANT = "<|pad|>", "<|end|>", "<|user|>", "<|assistant|>"
_CHAT_TEMPLATE = (
    "{% for m in messages %}{{ '" + USER + "' if m['role'] == 'user' else '" + ASSISTANT + "' }}{{ m['content'] }}"
    "{% if m['role'] == 'assistant' %}{{ '" + EOS + "' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '" + ASSISTANT + "' }}{% endif %}"
)
# One token at most for: a line break with its list number, a year in parentheses, a word with its space.
_PIECES = Regex(r"\n?\d+\. | ?\(\d{4}\)| ?[\p{L}\p{M}'’]+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+")


def make_tokenizer(texts: Iterable[str], vocab_size: int = 1536) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer with a chat template, trained on `texts`; any other text can be written as well."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(_PIECES, behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=vocab_size,
            special_tokens=[PAD, EOS, USER, ASSISTANT],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, eos_token=EOS, padding_side="left", chat_template=_CHAT_TEMPLATE,
        additional_special_tokens=[USER, ASSISTANT],
    )  # fmt: skip


def make_model(
    tokenizer: PreTrainedTokenizerBase, seed: int, hidden_size: int = 128, layers: int = 3
) -> LlamaForCausalLM:
    """A randomly initialised Llama for this tokenizer."""
    set_seed(seed)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=hidden_size,
            intermediate_size=3 * hidden_size,
            num_hidden_layers=layers,
            num_attention_heads=4,
            num_key_value_heads=4,
            max_position_embeddings=512,
            tie_word_embeddings=True,
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
        )
    )
