# SPDX-FileCopyrightText: 2026 the Serin authors
# SPDX-License-Identifier: BSL-1.0
"""gateway.py SERIN WORK SDK=COMMAND...: asks one scripted mock provider the same with the official SDKs, directly and
through `serin gateway`, and compares what they made of the answers: whole, streamed, with tools, with errors. Files go
to the folder WORK. scripts/sdk-agreement calls this. Ends with status 1 after a difference that is not listed in KNOWN,
and after a listed one that is gone."""

import fnmatch
import json
import pathlib
import subprocess
import sys

from agree import ask_sdk, fields_of, read_cases, shown

# Differences that are meant: (case, field, why). Patterns as in file names.
KNOWN = [
    ("wrong-key*", "*", "that a provider does not accept the gateway's key is no fault of its callers: 502"),
    ("forbidden*", "*", "what a provider forbids to the gateway's account is no fault of its callers: 502"),
    ("ends-in-the-middle/stream", "*", "the gateway says that a stream was cut off"),
    ("comment-after-an-id/stream", "*", "the gateway sends no comments on, with which the SDK for Python fails"),
    ("error-*/stream", "*", "an error before the first token has a status; one without a code gets one"),
    ("busy-with-200*", "*", "an error with status 200 becomes one with the status that it should have"),
]


def start(arguments, lines):
    """Starts a server; returns it and the addresses that it prints."""
    process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    urls = [process.stdout.readline().decode().split()[-1:] for _ in range(lines)]
    if not all(urls):
        process.terminate()
        sys.exit("sdk-agreement: " + " ".join(arguments[:2]) + " did not start")
    return process, urls[0][0]


def differences(direct, through):
    a, b = fields_of(direct), fields_of(through)
    # The gateway has a name of its own for each request.
    for fields in (a, b):
        fields.pop("request_id", None)
    found = [(name, a.get(name), b.get(name)) for name in {**a, **b} if a.get(name) != b.get(name)]
    if a["outcome"] == b["outcome"] == "error" and direct["raised"]["class"] != through["raised"]["class"]:
        found.append(("class", direct["raised"]["class"], through["raised"]["class"]))
    return found


def main():
    program, work = sys.argv[1], pathlib.Path(sys.argv[2])
    commands = dict(argument.split("=", 1) for argument in sys.argv[3:])
    work.mkdir(parents=True, exist_ok=True)
    cases = list(read_cases())
    script, requests, config = work / "script.json", work / "requests.json", work / "gateway.json"
    script.write_text(json.dumps({"models": {case.name: case.behavior for case in cases}}), encoding="utf-8")
    requests.write_text(json.dumps(
        [{"name": case.name, "request": case.request, "stream": case.stream} for case in cases]), encoding="utf-8")

    mock, direct_url = start([program, "mock", "--listen", "127.0.0.1:0", "--script", str(script)], 1)
    try:
        config.write_text(json.dumps({"upstreams": [{"name": "mock", "base_url": direct_url}],
                                      "retry": {"max_attempts": 1}}), encoding="utf-8")
        gateway, url = start([program, "gateway", "--listen", "127.0.0.1:0", "--quiet", "--config", str(config)], 1)
        try:
            failures, known = 0, {row: 0 for row in KNOWN}
            for sdk, command in commands.items():
                direct = ask_sdk(sdk, command, direct_url, requests)
                through = ask_sdk(sdk, command, url, requests)
                for case in cases:
                    for field, a, b in differences(direct[case.name], through[case.name]):
                        row = next((r for r in known if all(map(fnmatch.fnmatchcase, (case.name, field), r[:2]))), None)
                        if row:
                            known[row] += 1
                            continue
                        failures += 1
                        print(f"DIFFERENT {sdk}: {case.name}: {field}\n    direct:  {shown(a)}\n    gateway: {shown(b)}")
            for row, times in known.items():
                print(f"{'known    ' if times else 'GONE     '} {row[0]}: {row[1]} ({times} times): {row[2]}")
                failures += not times
        finally:
            gateway.terminate()
            gateway.wait()
    finally:
        mock.terminate()
        mock.wait()
    print(f"{len(cases)} cases, asked directly and through the gateway with {', '.join(commands)}: "
          + (f"{failures} differences" if failures else "they agree"))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
