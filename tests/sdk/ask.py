# SPDX-FileCopyrightText: 2026 the Serin authors
# SPDX-License-Identifier: BSL-1.0
"""ask.py BASE_URL REQUESTS: asks with the official SDK for Python. REQUESTS is a JSON file, an array of objects with
the members name, stream and request. Prints one JSON object: for each name the completion, or what the SDK raised."""

import json
import sys
import warnings

import openai


def ask(client, request, stream):
    if not stream:
        return client.chat.completions.create(**request)
    with client.chat.completions.stream(**request, stream_options={"include_usage": True}) as events:
        # Not get_final_completion(), which refuses what it could not parse into a type.
        return events.until_done().current_completion_snapshot


def outcome(client, case):
    try:
        return ask(client, case["request"], case["stream"]).model_dump(mode="json", warnings=False)
    except openai.APIError as e:
        body = e.body if isinstance(e.body, dict) else {}
        return {"raised": {
            "class": type(e).__name__,
            "status": getattr(e, "status_code", None),
            "code": e.code,
            "type": e.type,
            "message": body.get("message", e.message),
            "request_id": getattr(e, "request_id", None),
        }}
    except Exception as e:  # Whatever it is, it is what a program of a user would meet.
        return {"raised": {"class": type(e).__name__, "message": str(e)}}


def main():
    warnings.simplefilter("ignore")
    with open(sys.argv[2], encoding="utf-8") as file:
        cases = json.load(file)
    client = openai.OpenAI(base_url=sys.argv[1], api_key="sk-sdk-agreement", max_retries=0, timeout=60)
    print(json.dumps({case["name"]: outcome(client, case) for case in cases}))


main()
