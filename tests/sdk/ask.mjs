// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// ask.mjs BASE_URL REQUESTS: as ask.py, with the official SDK for Node. Runs from a folder that has the SDK.

import { readFileSync } from "node:fs";
import OpenAI from "openai";

const client = new OpenAI({ baseURL: process.argv[2], apiKey: "sk-sdk-agreement", maxRetries: 0, timeout: 60000 });

function ask(request, stream) {
    if (!stream)
        return client.chat.completions.create(request);
    return client.chat.completions.stream({ ...request, stream_options: { include_usage: true } }).finalChatCompletion();
}

async function outcome(request, stream) {
    try {
        return await ask(request, stream);
    } catch (e) {
        if (!(e instanceof OpenAI.APIError))
            return { raised: { class: e.constructor.name, message: e.message } };
        return {
            raised: {
                class: e.constructor.name,
                status: e.status,
                code: e.code,
                type: e.type,
                message: e.error?.message ?? e.message,
                request_id: e.requestID,
            },
        };
    }
}

const outcomes = {};
for (const { name, request, stream } of JSON.parse(readFileSync(process.argv[3], "utf8")))
    outcomes[name] = await outcome(request, stream);
console.log(JSON.stringify(outcomes));
