// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// The official SDK for Node, with its own retries.

import OpenAI from "openai";
import { Agent } from "undici";

import { ca, KEY, MAX_RETRIES, messages, options, run, TIMEOUT_MS } from "../measure/measure.mjs";

// Node's own fetch would do, but cannot be given a certificate authority.
const dispatcher = new Agent({ connections: options.concurrency, connect: { ca: ca(), timeout: 5000 } });
const client = new OpenAI({
    apiKey: KEY,
    baseURL: options.baseUrl,
    maxRetries: MAX_RETRIES,
    timeout: TIMEOUT_MS,
    fetchOptions: { dispatcher },
});

const request = () => ({ model: "bench-model", messages: messages(), temperature: 0.5, max_tokens: 512 });

await run("node-openai", {
    async chat() {
        const answer = await client.chat.completions.create(request());
        return {
            characters: answer.choices[0].message.content.length + answer.usage.total_tokens,
            stopped: answer.choices[0].finish_reason === "stop",
        };
    },
    async stream(token) {
        let stopped = false;
        for await (const chunk of await client.chat.completions.create({ ...request(), stream: true }))
            for (const choice of chunk.choices) {
                token(choice.delta.content);
                if (choice.finish_reason) stopped = choice.finish_reason === "stop";
            }
        return stopped;
    },
});
