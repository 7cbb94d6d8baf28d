# SPDX-FileCopyrightText: 2026 the Serin authors
# SPDX-License-Identifier: BSL-1.0
"""page.py SERIN [SCREENSHOT_FOLDER]: looks at the gateway's live page in Chromium, under traffic: a mock provider, a
gateway in front of it with five upstreams, and callers. Checks the log-in and its cookie, what the page shows against
what the gateway says, and that it fits desktops and phones. SCREENSHOT_FOLDER: pictures of it go there. Ends with status
77 where there is no Chromium. Needs nothing but Python's own library."""

import contextlib
import http.server
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

TOKEN = "page-test-token"
GOOD_KEY, BAD_KEY, OTHER_KEY = "sk-page-good-0001", "sk-page-revoked-0002", "sk-page-other-0003"
SCRIPT = {
    "keys": [GOOD_KEY, OTHER_KEY],
    "models": {
        "large": {"tokens": 30, "first_token_delay": "12ms"},
        "new": {"tokens": 30, "first_token_delay": "7ms"},
        "down": {"status": 503},
        "busy": {"status": 429, "retry_after": "600"},
    },
}
CONFIG = {
    "upstreams": [
        {"name": "stable", "model": "large", "weight": 70, "price": {"input": 200, "output": 800},
         "keys": {"env": ["PAGE_KEY_1", "PAGE_KEY_2"]}},
        {"name": "canary", "model": "new", "weight": 0, "price": {"input": 100, "output": 400},
         "keys": {"env": "PAGE_KEY_3"}},
        {"name": "a-provider-with-quite-a-long-name", "model": "large", "weight": 20, "keys": {"env": "PAGE_KEY_1"}},
        {"name": "broken", "model": "down", "weight": 10, "keys": {"env": "PAGE_KEY_1"}},
        {"name": "busy", "model": "busy", "weight": 5, "keys": {"env": "PAGE_KEY_1"}},
    ],
    "models": {
        "fast": {"upstreams": ["stable", "canary"]},
        "any": {"upstreams": ["stable", "a-provider-with-quite-a-long-name", "broken", "busy"]},
    },
    "rollout": {"model": "fast", "candidate": "canary", "stages": [0.1, 0.3, 0.5, 1.0]},
    "health": {"consecutive_failures": 2, "ejection": "300s", "max_ejection": "300s"},
    "budgets": [{"name": "team", "daily": 120, "when_over": "warn"}],
    "cache": {},
}
WIDTHS = {"desktop": (1280, 900), "phone": (390, 844), "small-phone": (320, 568)}


class Chromium:
    """A headless Chromium, spoken to over its pipe."""

    def __init__(self, program, folder):
        to_browser, self.out = os.pipe()
        self.into, from_browser = os.pipe()

        def connect():
            # By way of other numbers, for 3 and 4 may be among the ends.
            a, b = os.dup(to_browser), os.dup(from_browser)
            os.dup2(a, 3)
            os.dup2(b, 4)

        self.process = subprocess.Popen(
            [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
             "--remote-debugging-pipe", f"--user-data-dir={folder}", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=connect,
            close_fds=False)
        os.close(to_browser)
        os.close(from_browser)
        self.number, self.rest, self.session = 0, b"", None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network"):
            self.call(domain + ".enable")

    def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self.rest:
                more = os.read(self.into, 65536)
                if not more:
                    raise RuntimeError("Chromium has ended")
                self.rest += more
            text, self.rest = self.rest.split(b"\0", 1)
            answer = json.loads(text)
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]

    def evaluate(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def wait(self, expression, what, seconds=30):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            # While a page is left there is none to ask.
            with contextlib.suppress(RuntimeError):
                if self.evaluate(expression):
                    return True
            time.sleep(0.05)
        return check(False, what)

    def resize(self, width, height):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                  mobile=width < 600)

    def picture(self, path):
        import base64
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"]
        path.write_bytes(base64.b64decode(data))

    def close(self):
        self.process.terminate()
        self.process.wait()


failures = 0


def check(good, what):
    global failures
    if not good:
        failures += 1
        print("FAILED  " + what, flush=True)
    return good


@contextlib.contextmanager
def serving(arguments, lines, environment=None):
    process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                               env={**os.environ, **(environment or {})})
    try:
        yield [process.stdout.readline().split()[-1] for _ in range(lines)]
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def foreign_page(text):
    """Another site: localhost, where the admin listener is 127.0.0.1."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://localhost:{server.server_port}/"
    finally:
        server.shutdown()


def post(url, body, **fields):
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json", **fields})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            answer.read()
            return answer.status
    except urllib.error.HTTPError as e:
        return e.code


class Callers:
    """Ask until they are stopped."""

    def __init__(self, url):
        self.url, self.done, self.count = url, threading.Event(), 0
        self.threads = [threading.Thread(target=self.run, args=(i,)) for i in range(4)]
        for t in self.threads:
            t.start()

    def run(self, number):
        turn = 0
        while not self.done.is_set():
            turn += 1
            body = {"model": "any" if turn % 3 == 0 else "fast", "stream": turn % 2 == 0,
                    # A question in four comes again.
                    "temperature": 0, "messages": [{"role": "user", "content": str(0 if turn % 4 == 0 else (number, turn))}]}
            post(self.url + "/chat/completions", body)
            self.count += 1
            self.done.wait(0.02)

    def stop(self):
        self.done.set()
        for t in self.threads:
            t.join()


def state_of(admin):
    request = urllib.request.Request(admin + "api/state", headers={"Authorization": "Bearer " + TOKEN})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def check_log_in(browser, admin):
    browser.call("Page.navigate", url=admin)
    browser.wait("!!document.querySelector('input[name=token]')", "who has no cookie is asked for the token")
    for token in ("wrong", TOKEN):
        browser.evaluate("document.querySelector('input[name=token]').value = " + json.dumps(token)
                         + "; document.querySelector('form').requestSubmit(); window.old = true")
        if token == "wrong":
            browser.wait("!window.old && !!document.querySelector('input[name=token]')", "a wrong token does not log in")
            check(browser.call("Storage.getCookies")["cookies"] == [], "a wrong token gives no cookie")
    browser.wait("!!document.querySelector('[data-upstream]')", "the token logs in")
    cookies = browser.call("Storage.getCookies")["cookies"]
    check(len(cookies) == 1 and cookies[0]["httpOnly"] and cookies[0].get("sameSite") == "Strict",
          f"there is one cookie, HttpOnly and SameSite=Strict, not {cookies}")
    check(TOKEN not in json.dumps(cookies), "the cookie is not the token")
    check(browser.evaluate("document.cookie") == "", "scripts do not see the cookie")


def check_other_site(browser, admin):
    page = f"""<form method=post action="{admin}api/rollout/abort"></form><a href="{admin}">look</a>"""
    with foreign_page(page) as url:
        browser.call("Page.navigate", url=url)
        browser.wait("!!document.querySelector('a')", "the other site's page")
        browser.evaluate("document.querySelector('form').submit()")
        browser.wait("document.body && document.body.innerText.includes('error')", "another site's form is refused")
        check(state_of(admin)["rollouts"][0]["status"] == "running", "another site's form changes nothing")
        browser.call("Page.navigate", url=url)
        browser.wait("!!document.querySelector('a')", "the other site's page")
        browser.evaluate("document.querySelector('a').click()")
        browser.wait("!!document.querySelector('input[name=token]')", "a link of another site brings no cookie")
    browser.call("Page.navigate", url=admin)
    browser.wait("!!document.querySelector('[data-upstream]')", "who goes there himself is still logged in")


def check_figures(browser, admin):
    """What the page shows is what the gateway says."""
    text = "document.body.innerText"
    browser.wait(f"{text}.includes('answers in the last minute')", "there is a summary")
    health = browser.evaluate("document.getElementById('health').innerText")
    check(health == "1 left alone, 1 resting, of 5", f"the whole in a word: {health}")
    shown = {}
    for upstream in state_of(admin)["upstreams"]:
        name = upstream["name"]
        card = browser.evaluate(f"document.querySelector('[data-upstream=\"{name}\"]')?.innerText") or ""
        shown[name] = card
        for label in ("share", "errors", "p50", "p95", "p99", "tokens / min"):
            check(label in card, f"the card of {name} has {label}")
        for key in upstream["keys"]:
            check(f"{key['fingerprint']} {key['state']}" in card, f"the card of {name} has the key {key['fingerprint']}")
    share = browser.evaluate("document.querySelector('[data-upstream=stable] dl dd').innerText")
    check(share.endswith("%") and 20 < float(share.split()[0]) <= 100, f"the share of stable is {share}")
    check("answers" in shown["stable"], "stable answers")
    check("quarantined" in shown["stable"], "the revoked key of stable is shown as quarantined")
    check("left alone" in shown["broken"], "the circuit of broken is shown as open")
    check("100 %" in shown["broken"], "the error rate of broken is shown")
    check("rests for" in shown["busy"], "busy is shown as resting, as it has asked for")
    check("ms" in shown["stable"], "the latency of stable is shown")
    rollout = browser.evaluate("document.querySelector('[data-rollout=fast]').innerText")
    check(" for 0 s" not in rollout, "the rollout's stage has lasted")
    check("stage 1 of 4" in rollout and "10 %" in rollout and "running" in rollout, f"the rollout's stage: {rollout}")
    rows = browser.evaluate("document.getElementById('failures').innerText")
    check("broken" in rows and "503" in rows and "answered" in rows, f"the recent failures: {rows}")
    cost = browser.evaluate("document.getElementById('cost')?.innerText") or ""
    check("$" in cost and "team" in cost and "of $120" in cost, f"the cost and the budget: {cost}")
    cache = browser.evaluate("document.getElementById('cache')?.innerText") or ""
    check("%" in cache and "hit" in cache, f"the cache: {cache}")
    everything = browser.evaluate("document.documentElement.outerHTML")
    for secret in (TOKEN, GOOD_KEY, BAD_KEY, OTHER_KEY):
        check(secret not in everything, "no key and no token is on the page")


def check_widths(browser, pictures):
    for name, (width, height) in WIDTHS.items():
        browser.resize(width, height)
        browser.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        inner = browser.evaluate("document.documentElement.scrollWidth")
        check(inner <= width, f"{name}: the page is {inner} pixels wide on {width}")
        wide = browser.evaluate("[...document.querySelectorAll('main *')].filter(e => !e.closest('.scroll')"
                                " && !e.closest('svg') && e.getBoundingClientRect().right > innerWidth + 1)"
                                ".map(e => e.tagName + ' ' + e.innerText)")
        check(wide == [], f"{name}: cut off at the right: {wide}")
        small = browser.evaluate("Math.min(...[...document.querySelectorAll('main *')].filter(e => e.innerText)"
                                 ".map(e => parseFloat(getComputedStyle(e).fontSize)))")
        check(small >= 12, f"{name}: the smallest text has {small} pixels")
        if pictures:
            browser.picture(pictures / f"{name}.png")


def check_end(browser):
    browser.wait("document.body.classList.contains('stale')", "the page tells that the gateway is gone")


def main():
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not program:
        print("page: skipped: there is no Chromium (Debian's package is chromium)")
        return 77
    serin = sys.argv[1]
    pictures = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else None
    with tempfile.TemporaryDirectory(prefix="serin-page-", ignore_cleanup_errors=True) as folder:
        work = pathlib.Path(folder)
        (work / "script.json").write_text(json.dumps(SCRIPT), encoding="utf-8")
        with serving([serin, "mock", "--listen", "127.0.0.1:0", "--script", work / "script.json"], 1) as (provider,):
            for upstream in CONFIG["upstreams"]:
                upstream["base_url"] = provider
            (work / "gateway.json").write_text(json.dumps(CONFIG), encoding="utf-8")
            environment = {"PAGE_KEY_1": GOOD_KEY, "PAGE_KEY_2": BAD_KEY, "PAGE_KEY_3": OTHER_KEY, "PAGE_TOKEN": TOKEN}
            browser = None
            try:
                with serving([serin, "gateway", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--quiet",
                              "--admin-token-env", "PAGE_TOKEN", "--drain", "2", "--config", work / "gateway.json"], 2,
                             environment) as (url, admin):
                    callers = Callers(url)
                    try:
                        browser = Chromium(program, work / "profile")
                        browser.resize(*WIDTHS["desktop"])
                        check_log_in(browser, admin)
                        check_other_site(browser, admin)
                        until = time.monotonic() + (20 if pictures else 3)
                        while callers.count < 300 or time.monotonic() < until:
                            time.sleep(0.05)
                        check_figures(browser, admin)
                        check_widths(browser, pictures)
                    finally:
                        callers.stop()
                check_end(browser)
            finally:
                if browser:
                    browser.close()
    print(f"page: {failures} checks failed" if failures else "page: it shows what it should")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
