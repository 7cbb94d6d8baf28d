# SPDX-FileCopyrightText: 2026 the Serin authors
# SPDX-License-Identifier: BSL-1.0
"""agree.py SERIN WORK SDK=COMMAND...: asks one scripted mock provider the same with `serin chat --json` and with the
official SDKs, and compares what they made of the answers. COMMAND is called with the base URL and a file of requests.
Files go to the folder WORK. scripts/sdk-agreement calls this. Ends with status 1 after a difference that is not listed
in KNOWN, and after a listed one that is gone."""

import copy
import fnmatch
import json
import pathlib
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

# Differences that are meant: (SDK, case, field, why). Patterns as in file names.
KNOWN = [
    ("*", "error-*/stream", "status", "the SDKs keep no status of an error within a stream"),
    ("python", "error-*/stream", "request_id", "the SDK keeps no request id of an error within a stream"),
    ("python", "ends-in-the-middle/stream", "outcome", "the SDK takes a stream that was cut off for a whole one"),
    ("node", "ends-in-the-middle/stream", "*", "the SDK says so in words of its own, and keeps nothing of the answer"),
    ("python", "comment-after-an-id/stream", "outcome", "the SDK takes a comment after an id for an event"),
    ("node", "reasoning/stream", "*.reasoning", "of members it does not know the SDK keeps the last piece only"),
    ("*", "busy-with-200", "outcome", "the SDKs take an error with status 200 for an answer without choices"),
    ("*", "busy-with-200/stream", "*", "the SDKs find no event in it, and fail with words of their own"),
    ("python", "code-is-a-number*", "code", "the SDK makes a text of each code"),
]

# What the classes of the SDKs' errors are called in Serin. An error inside a stream is an APIError whatever it says.
KINDS = {
    "BadRequestError": {"invalid_request", "context_length_exceeded", "content_filtered"},
    "AuthenticationError": {"authentication"},
    "PermissionDeniedError": {"permission"},
    "NotFoundError": {"not_found"},
    "ConflictError": {"conflict"},
    "UnprocessableEntityError": {"invalid_request"},
    "RateLimitError": {"rate_limited", "quota_exhausted"},
    "InternalServerError": {"server_error", "overloaded"},
    "APIError": {"server_error", "overloaded", "rate_limited", "stream_error"},
}

HEAD = {"created": 1700000000, "model": "canary-1-2026-01-01"}
HERE = pathlib.Path(__file__).parent


def to_json(value, escaped=False):
    return json.dumps(value, ensure_ascii=escaped, separators=(",", ":"))


# ---- The cases


def whole(answer):
    """A scripted answer as a completion."""
    completion = {"id": "chatcmpl-" + answer["name"], "object": "chat.completion", **HEAD, "choices": []}
    for index, choice in enumerate(copy.deepcopy(answer["choices"])):
        message = {"role": "assistant", **choice["message"]}
        if "repeat" in answer:
            message["content"] *= answer["repeat"]
        completion["choices"].append({"index": index, "message": message, "finish_reason": choice["finish_reason"]})
    if "usage" in answer:
        completion["usage"] = answer["usage"]
    return completion


def pieces(text):
    return [text[i:i + 3] for i in range(0, len(text), 3)]


def deltas(message):
    """A message as the deltas of a stream."""
    yield {"role": "assistant", "content": "" if message.get("content") is not None else None}
    for name in ("reasoning_content", "content", "refusal"):
        for piece in pieces(message.get(name) or ""):
            yield {name: piece}
    for index, call in enumerate(message.get("tool_calls", [])):
        function = call["function"]
        yield {"tool_calls": [{**call, "index": index, "function": {"name": function["name"], "arguments": ""}}]}
        for piece in pieces(function["arguments"]):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def streamed(completion, escaped):
    """A completion as an event stream, the choices by turns."""
    head = {**completion, "object": "chat.completion.chunk"}
    usage = head.pop("usage", None)
    chunks = []
    waiting = [(choice, deltas(choice["message"])) for choice in head["choices"]]
    while waiting:
        for turn in list(waiting):
            choice, rest = turn
            delta = next(rest, None)
            finish_reason = choice["finish_reason"] if delta is None else None
            if delta is None:
                waiting.remove(turn)
            chunks.append([{"index": choice["index"], "delta": delta or {}, "finish_reason": finish_reason}])
    events = [{**head, "choices": choices, "usage": None} for choices in chunks]
    if usage:
        events.append({**head, "choices": [], "usage": usage})
    return "".join("data: " + to_json(event, escaped) + "\n\n" for event in events) + "data: [DONE]\n\n"


class Case:
    def __init__(self, source, requests, behavior, stream):
        self.name = source["name"] + ("/stream" if stream else "")
        self.stream = stream
        self.kind = source.get("kind")
        # The model asked for chooses the answer.
        self.request = {"model": self.name, "messages": [{"role": "user", "content": "Say something."}],
                        **requests.get(source.get("request"), {})}
        self.behavior = {**behavior, "headers": {"x-request-id": "req-" + self.name, **behavior.get("headers", {})}}
        if "write_size" in source:
            self.behavior["write_size"] = source["write_size"]


def read_cases():
    source = json.loads((HERE / "cases.json").read_text(encoding="utf-8"))
    events = {"Content-Type": "text/event-stream"}

    def case(entry, behavior, stream):
        return Case(entry, source["requests"], behavior, stream)

    for entry in source["answers"]:
        completion, escaped = whole(entry), entry.get("escaped", False)
        yield case(entry, {"body": to_json(completion, escaped)}, False)
        yield case(entry, {"body": streamed(completion, escaped), "headers": events}, True)
    for entry in source["streams"]:
        head = to_json({"id": "chatcmpl-" + entry["name"], "object": "chat.completion.chunk", **HEAD})[1:-1]
        yield case(entry, {"body": entry["text"].replace("{C,", "{" + head + ","), "headers": events}, True)
    for entry in source["mock"]:
        for stream in (False, True):
            yield case(entry, entry["behavior"], stream)
    for entry in source["errors"]:
        for stream in (False, True):
            yield case(entry, {"status": entry["status"], "body": {"error": entry["error"]}}, stream)


# ---- Asking


def ask_serin(program, url, work, case):
    request = work / "requests" / (case.name.replace("/", "-") + ".json")
    request.write_text(json.dumps(case.request), encoding="utf-8")
    done = subprocess.run([program, "chat", "--base-url", url, "--request", str(request), "--json", "--max-attempts",
                           "1", "--timeout", "60", "--stream" if case.stream else "--no-stream"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=90)
    try:
        document = json.loads(done.stdout.decode())
    except ValueError:
        sys.exit(f"sdk-agreement: {case.name}: serin printed no JSON, status {done.returncode}: {done.stderr.decode()}")
    return {"raised": document["error"]} if "error" in document else document


def ask_sdk(name, command, url, requests):
    done = subprocess.run(shlex.split(command) + [url, str(requests)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, timeout=300)
    if done.returncode != 0:
        sys.exit(f"sdk-agreement: the program for {name} ended with status {done.returncode}")
    return json.loads(done.stdout.decode())


# ---- Comparing


def counts(usage, path=""):
    """The numbers of usage, by their paths. A detail that is not sent is a detail of 0."""
    found = {}
    for name, value in (usage or {}).items():
        if isinstance(value, dict):
            found.update(counts(value, path + name + "."))
        elif value or (value == 0 and not path):
            found[path + name] = value
    return found


def fields_of(outcome):
    """What all of them tell, by the names of fields. Null and empty texts are one."""
    if "raised" in outcome:
        error = outcome["raised"]
        names = ("status", "code", "type", "message", "request_id")
        return {"outcome": "error", **{name: error.get(name) or None for name in names}}
    fields = {
        "outcome": "answer",
        # The mock numbers its own answers.
        "id": re.sub(r"^(chatcmpl-mock)-\d+$", r"\1", outcome.get("id") or ""),
        "model": outcome.get("model"),
        "usage": counts(outcome.get("usage")),
    }
    choices = outcome.get("choices") or []
    if "content" in outcome and not choices:  # serin chat, about an answer with one choice
        choices = [{"index": 0, "message": outcome, "finish_reason": outcome["finish_reason"]}]
    fields["choices"] = [choice["index"] for choice in choices]
    for choice in choices:
        message, at = choice["message"], f"choices[{choice['index']}]."
        fields[at + "finish_reason"] = choice["finish_reason"]
        fields[at + "content"] = message.get("content") or None
        fields[at + "refusal"] = message.get("refusal") or None
        fields[at + "reasoning"] = message.get("reasoning_content") or message.get("reasoning") or None
        fields[at + "tool_calls"] = [
            {"id": call["id"], "name": call["function"]["name"], "arguments": call["function"]["arguments"]}
            for call in message.get("tool_calls") or []
        ]
    return fields


def differences(serin, sdk):
    """The fields that differ: (field, of Serin, of the SDK)."""
    a, b = fields_of(serin), fields_of(sdk)
    if a["outcome"] != b["outcome"]:
        return [("outcome", serin.get("raised") or a, sdk.get("raised") or b)]
    found = [(name, a.get(name), b.get(name)) for name in {**a, **b} if a.get(name) != b.get(name)]
    if a["outcome"] == "error" and serin["raised"]["kind"] not in KINDS.get(sdk["raised"]["class"], ()):
        found.append(("kind", serin["raised"]["kind"], sdk["raised"]["class"]))
    return found


def shown(value):
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= 300 else text[:300] + f"... ({len(text)} characters)"


def compare(sdk, cases, of_serin, of_sdk):
    """Prints the differences and returns how many of them count."""
    failures, known = 0, {row: 0 for row in KNOWN if fnmatch.fnmatchcase(sdk, row[0])}
    for case in cases:
        for field, ours, theirs in differences(of_serin[case.name], of_sdk[case.name]):
            row = next((row for row in known if all(map(fnmatch.fnmatchcase, (case.name, field), row[1:3]))), None)
            if row:
                known[row] += 1
                continue
            failures += 1
            print(f"DIFFERENT {sdk}: {case.name}: {field}\n    serin: {shown(ours)}\n    {sdk}: {shown(theirs)}")
    for row, times in known.items():
        if times:
            print(f"known     {sdk}: {row[1]}: {row[2]} ({times} times): {row[3]}")
            continue
        failures += 1
        print(f"GONE      {sdk}: {row[1]}: {row[2]}: agrees now, and must leave the list of known differences")
    return failures


def main():
    program, work = sys.argv[1], pathlib.Path(sys.argv[2])
    commands = dict(argument.split("=", 1) for argument in sys.argv[3:])
    (work / "requests").mkdir(parents=True, exist_ok=True)
    cases = list(read_cases())
    script, requests = work / "script.json", work / "requests.json"
    script.write_text(json.dumps({"models": {case.name: case.behavior for case in cases}}), encoding="utf-8")
    requests.write_text(json.dumps(
        [{"name": case.name, "request": case.request, "stream": case.stream} for case in cases]), encoding="utf-8")

    mock = subprocess.Popen([program, "mock", "--listen", "127.0.0.1:0", "--script", str(script)],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        line = mock.stdout.readline().decode()
        if not line.startswith("listening on "):
            sys.exit("sdk-agreement: the mock provider did not start")
        url = line.split()[-1]
        with ThreadPoolExecutor(max_workers=2) as pool:
            answers = pool.map(lambda case: ask_serin(program, url, work, case), cases)
            of_serin = dict(zip([case.name for case in cases], answers))
        failures = 0
        for case in cases:
            kind = of_serin[case.name].get("raised", {}).get("kind")
            if kind != case.kind:
                failures += 1
                print(f"DIFFERENT serin: {case.name}: kind\n    expected: {case.kind}\n    serin: {kind}")
        for sdk, command in commands.items():
            failures += compare(sdk, cases, of_serin, ask_sdk(sdk, command, url, requests))
    finally:
        mock.terminate()
        mock.wait()
    print(f"{len(cases)} cases, asked with serin and {', '.join(commands)}: "
          + (f"{failures} differences" if failures else "they agree"))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
