"""Small tokenizers of the three families that language models use, trained on film lists."""

from functools import cache

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

TEXTS = [
    "1. Alien (1979)\n2. The Thing (1982)\n3. Amélie (2001) - a charming tale\n"
    "4. 千と千尋の神隠し (2001)\n5. Se7en (1995)",
    "Here are 20 films that you might enjoy:\n\n1) 2001: A Space Odyssey (1968)\r\n2) (500) Days of Summer\r\n3) Léon",
    "- **Frozen** (2013)\n- *Frozen* (2010)\n\nEnjoy your evening! 🎬",
    "1. Saw (2004)\n2. Up (2009)\n3. Titanic (1997)",
    "What should I watch next? Nothing gory please, no spiders, and it must end well.",
]


@cache
def byte_level() -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        special_tokens=["<eos>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS * 5, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<eos>", pad_token="<eos>")


@cache
def sentencepiece_style() -> PreTrainedTokenizerFast:
    """As in Llama 2: "▁" for spaces, a dummy space in front, bytes for unknown characters."""
    bytes_ = [f"<0x{b:02X}>" for b in range(256)]
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=["<unk>", "<s>", "</s>", *bytes_], limit_alphabet=80, show_progress=False
    )
    tokenizer.train_from_iterator(TEXTS * 5, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>", eos_token="</s>", pad_token="</s>"
    )


@cache
def wordpiece() -> PreTrainedTokenizerFast:
    """As in BERT, but with line breaks kept: spaces are put between tokens when decoding, and tidied up."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split("\n", "isolated"), pre_tokenizers.Split(" ", "removed"), pre_tokenizers.Punctuation()]
    )
    tokenizer.decoder = decoders.WordPiece(cleanup=True)
    trainer = trainers.WordPieceTrainer(vocab_size=400, special_tokens=["[UNK]", "[PAD]", "[SEP]"], show_progress=False)
    tokenizer.train_from_iterator(TEXTS * 5, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]", eos_token="[SEP]")


FAMILIES = {"byte_level": byte_level, "sentencepiece": sentencepiece_style, "wordpiece": wordpiece}
