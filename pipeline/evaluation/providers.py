"""Answers of models behind an API or a server, through inspect_ai: its providers, retries, limits, cache and batches."""

import asyncio
import re
import sys
import time
from pathlib import Path
from typing import Any

from tqdm import tqdm

from oracle import UserError
from oracle.base.printable import one_line
from pipeline.evaluation.journal import Journal

ROUNDS = 3
"""How often what failed is asked again, after inspect's own retries and behind all the others."""
PASSING = (408, 409, 425, 429)
"""Statuses from 400 to 499 that may be others the next time."""
Failure = tuple[tuple[int, int], Exception]
"""(row, sample) of a request, and why it has no answer."""


def is_provider(name: str) -> bool:
    """Whether a model's name is one of inspect's, such as openai/gpt-4o, and no folder or name on the hub."""
    provider, slash, _ = name.partition("/")
    return bool(slash) and not Path(name).exists() and provider in _providers()


def _providers() -> set[str]:
    # inspect_ai's, as of https://inspect.aisi.org.uk/providers.html, and mockllm for tests. A hub organisation of the
    # same name is meant as the provider, as in inspect itself.
    return {
        "openai", "openai-api", "anthropic", "google", "mistral", "deepseek", "grok", "bedrock", "azureai", "together",
        "groq", "fireworks", "sambanova", "cloudflare", "perplexity", "openrouter", "hf-inference-providers", "ollama",
        "vllm", "sglang", "llama-cpp-python", "hf", "mockllm", "none",
    }  # fmt: skip


def check_provider(name: str, options: dict[str, Any]) -> None:
    """Raises `UserError` for a model that inspect_ai can't reach: no inspect_ai, no package or key of its provider."""
    _model(name, options)


def answer(journal: Journal, name: str, prompts: list, *, samples: int, seed: int, options: dict[str, Any]) -> None:
    """Ask for what is missing in the journal, and keep each answer as soon as it arrives.

    Raises:
        UserError: a prompt that has no answer after all retries, or a service that refuses whatever it is asked. What came is
            kept.
    """
    missing = journal.missing(len(prompts), samples)
    if not missing:
        return
    kept = len(journal.answers)
    bar = tqdm(desc="answering", unit="answer", initial=kept, total=kept + len(missing))
    refused: list[Failure] = []
    try:
        for attempt in range(ROUNDS):
            failures = asyncio.run(
                _ask(journal, name, prompts, missing, seed, options, bar, last=attempt == ROUNDS - 1)
            )
            refused += [failure for failure in failures if _is_refusal(failure[1])]
            failures = [failure for failure in failures if not _is_refusal(failure[1])]
            missing = [asked for asked, _ in failures]
            if not missing:
                break
    finally:
        bar.close()
    missing = journal.missing(len(prompts), samples)
    if not missing:
        return _tell_if_not_sampled(journal, name, samples, options)
    (row, _), error = (failures + refused)[0]
    raise UserError(
        f"{name}: {len(missing)} of {len(prompts) * samples} requests have no answer, such as to prompt {row} "
        f"({type(error).__name__}: {_line(error)}). What came is in {journal.path}; the same command asks for the rest"
    )


def _is_refusal(error: Exception) -> bool:
    """Whether a service answered that the request itself is wrong (its key, model or prompt), so that asking again is idle."""
    status = getattr(error, "status_code", None)
    return isinstance(status, int) and 400 <= status < 500 and status not in PASSING


def _tell_if_not_sampled(journal: Journal, name: str, samples: int, options: dict[str, Any]) -> None:
    """Some servers answer greedily whatever the temperature: their samples tell nothing about chance."""
    texts: dict[int, set[str]] = {}
    for (row, _), entry in journal.answers.items():
        texts.setdefault(row, set()).add(entry["text"])
    if samples > 1 and options["temperature"] > 0 and all(len(own) == 1 for own in texts.values()):
        print(
            f"{name}: the {samples} answers to each prompt are the same, at temperature {options['temperature']:g}: this server "
            "does not sample as it is asked to",
            file=sys.stderr,
        )


async def _ask(journal, name, prompts, missing, seed, options, bar, last) -> list[Failure]:
    from inspect_ai.model import ChatMessageAssistant, ChatMessageSystem, ChatMessageUser, GenerateConfig

    makes = {"system": ChatMessageSystem, "assistant": ChatMessageAssistant}
    model = _model(name, options)
    failures: list[Failure] = []
    before = bar.n

    async def one(asked: tuple[int, int]) -> None:
        row, sample = asked
        messages = [makes.get(m["role"], ChatMessageUser)(content=m["content"]) for m in prompts[row]]
        # Providers that take a seed would else give the same answer to each sample.
        config = GenerateConfig(seed=seed + sample)
        started = time.monotonic()
        try:
            output = await model.generate(messages, config=config)
            if output.error or not output.choices:
                raise ValueError(output.error or "no choices in the response")
            text = output.completion
            text.encode()
        except Exception as error:  # of as many kinds as there are providers
            failures.append((asked, error))
            return
        usage = output.usage
        journal.add(
            [
                {
                    "row": row, "sample": sample, "text": text, "ended": output.stop_reason != "max_tokens",
                    "stop_reason": output.stop_reason, "model": output.model, "seconds": round(time.monotonic() - started, 3),
                    "input_tokens": usage.input_tokens if usage else None,
                    "output_tokens": usage.output_tokens if usage else None,
                    "cost": usage.total_cost if usage else None,
                }
            ]
        )  # fmt: skip
        bar.update()

    # A few at a time, so that Ctrl-C leaves no thousands of tasks behind; inspect limits the connections itself.
    waiting = iter(missing)

    width = len(missing) if options.get("batch") else 2 * (options.get("max_connections") or 10)

    def refuses_all() -> bool:
        return bar.n == before and len(failures) >= width and all(_is_refusal(error) for _, error in failures)

    async def worker() -> None:
        for asked in waiting:
            if refuses_all():
                return
            await one(asked)

    await asyncio.gather(*(worker() for _ in range(min(width, len(missing)))))
    again = [error for _, error in failures if not _is_refusal(error)]
    if again and not last:
        print(f"{name}: {len(again)} requests failed ({_line(again[0])}); asking again", file=sys.stderr)
    return failures


def _model(name: str, options: dict[str, Any]):
    try:
        from inspect_ai.model import GenerateConfig, get_model
    except ImportError:
        raise UserError(f"--model {name}: needs inspect_ai; pip install 'safe-rank-grpo[eval]'") from None
    try:
        return get_model(name, config=GenerateConfig(**options), memoize=False)
    except Exception as error:  # a missing package or key, or an unknown service
        raise UserError(f"--model {name}: {_line(error)}") from None


def _line(error: Exception) -> str:
    said = getattr(error, "provider_message", None) or str(error)  # inspect's own message begins with the whole request
    lines = [line.strip() for line in re.sub(r"\[/?[a-z]+\]", "", said).splitlines() if line.strip()]
    return one_line(" ".join(lines)[:300]) or type(error).__name__


def usage(entries: list[dict]) -> dict:
    """Tokens, seconds of waiting and cost over the answers of a journal; null where the provider tells none."""
    return {
        key: sum(e[key] for e in entries) if all(e.get(key) is not None for e in entries) else None
        for key in ("input_tokens", "output_tokens", "seconds", "cost")
    }
