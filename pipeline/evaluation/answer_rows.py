"""One row of an answers file -> the answers in it, whoever wrote the file.

Known by their keys: OpenAI's and vLLM's batch outputs (https://platform.openai.com/docs/guides/batch), Anthropic's message
batches, lm-eval samples, verifiers results, samples of inspect logs; and plain rows with the usual keys.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.samples.values import plain_text

# The first that a row has is its answer: where a dataset's own column stands beside a model's, the model's comes first.
TEXT_KEYS = ("generated_text", "response", "output", "completion", "text")
ID_KEYS = ("custom_id", "id", "prompt_id", "index", "doc_id", "example_id", "sample_id")
ROW_NUMBER_KEYS = ("index", "doc_id", "example_id")
PROMPT_KEYS = ("prompt", "input", "question", "messages", "conversation")
MODEL_KEYS = ("model", "model_name", "model_id")
SAMPLE_KEYS = ("sample", "epoch", "generation")
EXPECTED = f"a text under {', '.join(TEXT_KEYS)}"


@dataclass(frozen=True)
class Answer:
    """One answer of a file.

    Attributes:
        ids: what the row calls its prompt, by the key that says so.
        prompt: the prompt's text or messages; null where the row has none.
        model: who answered, if the row says so.
        sample: which of several answers to the prompt, if the row says so.
        text: null where the request failed; `failure` says why.
        ended: false where the provider says that a length limit cut the answer off.
    """

    ids: dict[str, str]
    prompt: object
    model: str | None
    sample: int | None
    text: str | None
    ended: bool = True
    failure: str = ""


def answers_of(row: dict) -> list[Answer]:
    """The answers in a row; a failed request is one without a text.

    Raises:
        ValueError: a row in which no answer can be found, with what is wrong.
    """
    if not isinstance(row, dict):
        raise ValueError(f"{str(row)[:60]!r}; expected an object with {EXPECTED}")
    ids = {
        key: plain_text(str(row[key]))
        for key in ID_KEYS
        if row.get(key) is not None and not isinstance(row[key], dict | list)
    }
    if "doc" in row and isinstance(row["doc"], dict) and row["doc"].get("id") is not None:
        ids = {"id": plain_text(str(row["doc"]["id"])), **ids}
    model = next((plain_text(row[key]) for key in MODEL_KEYS if isinstance(row.get(key), str) and row[key]), None)
    sample = next((int(row[k]) for k in SAMPLE_KEYS if str(row.get(k, "")).isdecimal()), None)
    if not ids and _prompt_of(row) is None:
        raise ValueError(f"{str(row)[:60]!r}; expected what it answers under {', '.join((*ID_KEYS[:4], 'prompt'))}")
    try:
        found = list(_texts(row))
    except _Failed as failed:
        return [Answer(ids, _prompt_of(row), model, sample, None, failure=str(failed))]
    several = len(found) > 1
    return [
        Answer(ids, _prompt_of(row), named or model, number if several else sample, plain_text(text), ended)
        for number, (text, ended, named) in enumerate(found)
    ]


class _Failed(Exception):
    """The request has no answer, and the row says so."""


def _texts(row: dict) -> Iterator[tuple[str, bool, str | None]]:
    """(text, ended, model) of each answer in the row."""
    result, response = row.get("result"), row.get("response")
    if isinstance(result, dict) and "type" in result and "custom_id" in row:  # Anthropic
        if result["type"] != "succeeded":
            raise _Failed(_reason(result.get("error"), str(result["type"])))
        yield from _of_body(result["message"])
    elif isinstance(response, dict) and "body" in response:  # OpenAI, vLLM
        if row.get("error") or response.get("status_code", 200) != 200:
            body = response["body"]
            told = row.get("error") or (body.get("error") if isinstance(body, dict) else None)
            raise _Failed(_reason(told, f"status {response.get('status_code')}"))
        yield from _of_body(response["body"])
    elif "resps" in row:  # lm-eval
        for text in _flat(row["resps"]):
            yield text, True, None
    elif "outputs" in row and isinstance(row["outputs"], list):  # vLLM's RequestOutput
        for output in row["outputs"]:
            yield from _of_body(output)
    else:
        key = next((key for key in TEXT_KEYS if row.get(key) is not None), None)
        if key is None:
            if row.get("error"):
                raise _Failed(_reason(row["error"], "error"))
            if "choices" in row or "content" in row:  # a bare response of the API
                yield from _of_body(row)
                return
            raise ValueError(f"{str(row)[:60]!r}; expected {EXPECTED}")
        if key == "text" and not isinstance(row[key], str):
            raise ValueError(f"{str(row)[:60]!r}; expected a text under text")
        yield from _of_body(row[key])


def _of_body(body: object) -> Iterator[tuple[str, bool, str | None]]:
    """Answers in what an API returned, a message, a list of either, or a text."""
    if isinstance(body, str):
        yield body, True, None
    elif isinstance(body, list):
        if body and all(isinstance(m, dict) and "role" in m for m in body):  # a conversation: its last message
            yield from _of_body(body[-1])
        elif body and all(isinstance(m, dict) and m.get("type") == "message" for m in body):
            yield "".join(_content(m.get("content")) for m in body), True, None
        else:
            for part in body:
                yield from _of_body(part)
    elif isinstance(body, dict) and isinstance(body.get("choices"), list):
        for choice in body["choices"]:
            yield _said(choice.get("message", choice)), choice.get("finish_reason") != "length", body.get("model")
    elif isinstance(body, dict) and isinstance(body.get("output"), list):  # OpenAI's responses
        messages = [part for part in body["output"] if part.get("type", "message") == "message"]
        yield (
            "".join(_content(m.get("content")) for m in messages),
            body.get("status") != "incomplete",
            body.get("model"),
        )
    elif isinstance(body, dict) and (
        key := next((k for k in ("content", *TEXT_KEYS) if body.get(k) is not None), None)
    ):
        stopped = body.get("stop_reason") or body.get("finish_reason")
        yield _content(body[key]), stopped not in ("max_tokens", "length"), body.get("model")
    else:
        raise ValueError(f"{str(body)[:60]!r}; expected a text")


def _said(message: dict) -> str:
    """A choice's text; the reason of a refusal, and nothing where all tokens went into thoughts or a filter took them."""
    key = "content" if "content" in message else "text"
    if message[key] is None:
        return message.get("refusal") or ""
    return _content(message[key])


def _content(content: object) -> str:
    """A message's content: a text, or parts of which those with a text count (thoughts and tool calls don't)."""
    if isinstance(content, list):
        return "".join(_content(p if isinstance(p, str) else p.get("text")) for p in content if _says_something(p))
    if not isinstance(content, str):
        raise ValueError(f"{str(content)[:60]!r}; expected a text")
    return content


def _says_something(part: object) -> bool:
    return isinstance(part, str) or (isinstance(part, dict) and part.get("type", "text") in ("text", "output_text"))


def _flat(nested: object) -> Iterator[str]:
    if isinstance(nested, list):
        for part in nested:
            yield from _flat(part)
    elif isinstance(nested, str):
        yield nested
    else:
        raise ValueError(f"{str(nested)[:60]!r}; expected a text")


def _prompt_of(row: dict) -> object:
    arguments = row.get("arguments")  # of lm-eval: {"gen_args_0": {"arg_0": prompt}}, or [[prompt, options]]
    if isinstance(arguments, dict) and arguments:
        return next(iter(arguments.values())).get("arg_0")
    if isinstance(arguments, list) and arguments and isinstance(arguments[0], list):
        return arguments[0][0]
    return next((row[key] for key in PROMPT_KEYS if isinstance(row.get(key), str | list) and row[key]), None)


def _reason(error: object, otherwise: str) -> str:
    if isinstance(error, dict):
        inner = error.get("error", error)
        return str(inner.get("message") or inner.get("type") or inner) if isinstance(inner, dict) else str(inner)
    return str(error or otherwise)
