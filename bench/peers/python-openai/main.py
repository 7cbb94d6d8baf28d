# SPDX-FileCopyrightText: 2026 the Serin authors
# SPDX-License-Identifier: BSL-1.0

"""The official SDK for Python, asynchronous, with its own retries."""

import asyncio
import pathlib
import ssl
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "measure"))

import httpx2 as httpx  # noqa: E402
import openai  # noqa: E402

import measure  # noqa: E402


async def main():
    o = measure.options()
    http = openai.DefaultAsyncHttpxClient(
        verify=ssl.create_default_context(cafile=o.ca) if o.ca else True,
        limits=httpx.Limits(max_connections=o.concurrency, max_keepalive_connections=o.concurrency),
        timeout=httpx.Timeout(measure.TIMEOUT, connect=5.0))
    client = openai.AsyncOpenAI(api_key=measure.KEY, base_url=o.base_url, max_retries=measure.MAX_RETRIES,
                                timeout=httpx.Timeout(measure.TIMEOUT, connect=5.0), http_client=http)

    async def chat():
        answer = await client.chat.completions.create(
            model="bench-model", messages=measure.messages(o), temperature=0.5, max_tokens=512)
        choice = answer.choices[0]
        return len(choice.message.content) + answer.usage.total_tokens, choice.finish_reason == "stop"

    async def stream(token):
        stopped = False
        async for chunk in await client.chat.completions.create(
                model="bench-model", messages=measure.messages(o), temperature=0.5, max_tokens=512, stream=True):
            for choice in chunk.choices:
                token(choice.delta.content)
                if choice.finish_reason:
                    stopped = choice.finish_reason == "stop"
        return stopped

    await measure.run("python-openai", o, chat, stream)


asyncio.run(main())
