# SPDX-FileCopyrightText: 2026 the Serin authors
# SPDX-License-Identifier: BSL-1.0

"""What clients ask and servers answer: a request of 2 KB, an answer of 1.5 KB, streams of some chunks."""

import json

SYSTEM = "You are a careful assistant of a shipping company and answer briefly. " * 4
USER = 'She wrote: "the crate no. 42 arrives on Monday" - what do I answer?\n' * 22


def request(stream=False, history=0):
    messages = [{"role": "system", "content": SYSTEM}]
    for _ in range(history):
        messages += [{"role": "user", "content": USER}, {"role": "assistant", "content": SYSTEM}]
    messages.append({"role": "user", "content": USER})
    body = {"model": "bench-model", "messages": messages, "temperature": 0.5, "max_tokens": 512}
    if stream:
        body["stream"] = True
    return body


def whole():
    text = 'Dear Ms. M\u00fcller,\nthank you: the crate \u201cno. 42\u201d is expected on Monday at 9\u201311 a.m. "As agreed".\n' * 10
    return json.dumps({
        "id": "chatcmpl-BenchAnswer0123456789abcdef",
        "object": "chat.completion",
        "created": 1750000000,
        "model": "bench-model-2025-06-01",
        "choices": [{
            "index": 0,
            "message": {"role": "assistant", "content": text, "refusal": None, "annotations": []},
            "logprobs": None,
            "finish_reason": "stop",
        }],
        "usage": {
            "prompt_tokens": 512, "completion_tokens": 256, "total_tokens": 768,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0,
                                          "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0},
        },
        "service_tier": "default",
        "system_fingerprint": "fp_0123456789",
    }, ensure_ascii=False, separators=(",", ":")).encode()


WORDS = [" the", " crate", " no.", " 42", " arrives", ' "on', ' Monday"', " at", " nine", ".\n", " M\u00fcller", " says", " so"]


def stream(chunks):
    """Events as OpenAI sends them: a role, `chunks` tokens, the finish reason, [DONE]."""
    def event(delta, finish=None):
        return b"data: " + json.dumps({
            "id": "chatcmpl-BenchAnswer0123456789abcdef", "object": "chat.completion.chunk", "created": 1750000000,
            "model": "bench-model-2025-06-01", "service_tier": "default", "system_fingerprint": "fp_0123456789",
            "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
        }, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"

    events = [event({"role": "assistant", "content": "", "refusal": None})]
    events += [event({"content": WORDS[i % len(WORDS)]}) for i in range(chunks)]
    events += [event({}, "stop"), b"data: [DONE]\n\n"]
    return b"".join(events)


def write(folder):
    """Writes whole.json, stream.sse (256 chunks) and short.sse (64) there."""
    (folder / "whole.json").write_bytes(whole())
    (folder / "stream.sse").write_bytes(stream(256))
    (folder / "short.sse").write_bytes(stream(64))
