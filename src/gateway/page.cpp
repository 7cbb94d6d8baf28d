// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "page.hpp"

namespace serin::gateway {

std::string_view page_html() noexcept
{
    return R"page(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Serin gateway</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/page.css">
<script src="/page.js" defer></script>
</head>
<body>
<header>
<h1>Serin gateway</h1>
<span id="health"></span>
<p id="summary" role="status">Waiting for the first figures</p>
</header>
<main>
<section aria-label="Traffic share"><div id="share"></div></section>
<section id="upstreams" aria-label="Upstreams"></section>
<section id="more" aria-label="Rollouts, cost and cache"></section>
<section aria-label="Recent failures">
<h2>Recent failures</h2>
<div class="scroll"><table>
<thead><tr><th>Time</th><th>Model</th><th>Upstream</th><th>Cause</th><th>Status</th><th>Caller</th></tr></thead>
<tbody id="failures"></tbody>
</table></div>
</section>
</main>
<footer id="footer"></footer>
</body>
</html>
)page";
}

std::string_view page_login() noexcept
{
    return R"page(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Serin gateway</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/page.css">
</head>
<body>
<header><h1>Serin gateway</h1></header>
<main>
<form class="card" method="post" action="/login">
<label for="token">Admin token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
<button>Show</button>
</form>
</main>
</body>
</html>
)page";
}

std::string_view page_style() noexcept
{
    return R"page(:root {
    color-scheme: light dark;
    --back: #f6f6f3; --card: #ffffff; --line: #dcdcd6; --text: #1d1d1b; --dim: #6b6b66;
    --good: #2b8a3e; --warn: #b26a00; --bad: #c92a2a;
}
@media (prefers-color-scheme: dark) {
    :root {
        --back: #161614; --card: #20201e; --line: #3a3a36; --text: #ecece6; --dim: #9d9d95;
        --good: #69db7c; --warn: #ffc078; --bad: #ff8787;
    }
}
* { box-sizing: border-box; }
body {
    margin: 0 auto; max-width: 72rem; padding: 1rem; background: var(--back); color: var(--text);
    font: 15px/1.45 system-ui, sans-serif;
}
h1 { font-size: 1.25rem; margin: 0; }
h2 { font-size: 1rem; margin: 0 0 .5rem; }
header { display: flex; flex-wrap: wrap; gap: .25rem 1rem; align-items: baseline; margin-bottom: 1rem; }
header .badge { white-space: normal; }
header p { margin: 0; color: var(--dim); }
section { margin-bottom: 1rem; }
#upstreams, #more { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(min(20rem, 100%), 1fr)); }
.card, .scroll { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .8rem 1rem; }
.card .title { display: flex; gap: .5rem; align-items: center; justify-content: space-between; }
.card .title strong, .card .title .name { flex: 1; overflow-wrap: anywhere; }
.card .title svg { flex: none; width: 12px; }
.card .title .amount { flex: none; }
.dim { color: var(--dim); }
.badge { border-radius: 1rem; padding: 0 .6rem; border: 1px solid currentColor; white-space: nowrap; font-size: .85rem; }
.good { color: var(--good); } .warn { color: var(--warn); } .bad { color: var(--bad); }
dl { display: grid; grid-template-columns: repeat(3, 1fr); gap: .4rem; margin: .6rem 0 0; }
dt { color: var(--dim); font-size: .8rem; }
dd { margin: 0; font-variant-numeric: tabular-nums; font-weight: 600; }
svg { display: block; width: 100%; }
.spark { height: 2.2rem; margin-top: .6rem; border-bottom: 1px solid var(--line); }
.keys { margin: .6rem 0 0; font-size: .85rem; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .2rem .8rem .2rem 0; white-space: nowrap; }
th { color: var(--dim); font-weight: normal; font-size: .85rem; }
@media (max-width: 34rem) {
    #failures td { white-space: normal; overflow-wrap: break-word; padding-right: .5rem; font-size: .9rem; }
    :is(th, #failures td:not([colspan])):is(:nth-child(2), :nth-child(5)) { display: none; }
}
@media (max-width: 22rem) { dl { grid-template-columns: 1fr 1fr; } }
form { display: grid; gap: .5rem; max-width: 24rem; }
input, button { font: inherit; padding: .4rem .6rem; }
footer { color: var(--dim); font-size: .85rem; }
body.stale main { opacity: .5; }
)page";
}

std::string_view page_script() noexcept
{
    return R"page("use strict";

const colours = ["#4c6ef5", "#f59f00", "#12b886", "#e64980", "#7950f2", "#15aabf", "#fd7e14", "#82c91e"];
const history = new Map();
const historyLength = 120;

function element(name, attributes, ...children) {
    const e = document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {}))
        e.setAttribute(key, value);
    e.append(...children);
    return e;
}

function shape(name, attributes, ...children) {
    const e = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes || {}))
        e.setAttribute(key, value);
    e.append(...children);
    return e;
}

function percent(share) {
    if (share > 0 && share < 0.0005)
        return "< 0.1 %";
    return (100 * share).toFixed(share > 0 && share < 0.1 ? 1 : 0) + " %";
}

function milliseconds(ms) {
    if (ms === null || ms === undefined)
        return "-";
    return ms >= 10000 ? (ms / 1000).toFixed(1) + " s" : ms >= 10 ? Math.round(ms) + " ms" : ms.toFixed(1) + " ms";
}

function count(n) {
    return n >= 1e7 ? Math.round(n / 1e6) + " M" : n >= 1e5 ? Math.round(n / 1e3) + " k" : n.toLocaleString("en");
}

function time(ms) {
    return new Date(ms).toLocaleTimeString([], {hourCycle: "h23"});
}

function span(ms) {
    const s = Math.round(ms / 1000);
    if (s < 120)
        return s + " s";
    return s < 7200 ? Math.round(s / 60) + " min" : s < 172800 ? Math.round(s / 3600) + " h" : Math.round(s / 86400) + " d";
}

function figure(name, value, kind) {
    return element("div", {}, element("dt", {}, name), element("dd", kind ? {class: kind} : {}, value));
}

function shareBar(upstreams) {
    const svg = shape("svg", {viewBox: "0 0 100 6", preserveAspectRatio: "none", height: "28", role: "img"});
    const label = upstreams.map(u => u.name + " " + percent(u.last_minute.share)).join(", ");
    svg.append(shape("title", {}, label));
    svg.append(shape("rect", {x: 0, y: 0, width: 100, height: 6, fill: "var(--line)"}));
    let x = 0;
    upstreams.forEach((u, i) => {
        const width = 100 * u.last_minute.share;
        svg.append(shape("rect", {x: x, y: 0, width: width, height: 6, fill: colours[i % colours.length]}));
        x += width;
    });
    return svg;
}

function spark(values, colour) {
    const most = Math.max(...values, 1);
    const first = historyLength - values.length;
    const points = values.map((v, i) => (100 * (first + i) / (historyLength - 1)) + "," + (29 - 28 * v / most));
    const svg = shape("svg", {class: "spark", viewBox: "0 0 100 30", preserveAspectRatio: "none", role: "img"});
    svg.append(shape("title", {}, "Answers in the minute before, over two minutes; at most " + most));
    svg.append(shape("polyline", {points: points.join(" "), fill: "none", stroke: colour, "stroke-width": 1.5,
        "vector-effect": "non-scaling-stroke"}));
    return svg;
}

function circuit(u) {
    const names = {closed: ["answers", "good"], half_open: ["on probation", "warn"], open: ["left alone", "bad"]};
    let [text, kind] = names[u.circuit] || ["unknown", "dim"];
    if (u.circuit === "open" && u.ejected_for_ms > 0)
        text += " for " + span(u.ejected_for_ms);
    else if (u.resting_for_ms > 0)
        [text, kind] = ["rests for " + span(u.resting_for_ms), "warn"];
    return element("span", {class: "badge " + kind}, text);
}

function keyLine(keys) {
    const line = element("p", {class: "keys"});
    if (keys.length === 0) {
        line.append(element("span", {class: "dim"}, "no key"));
        return line;
    }
    const kinds = {usable: "good", resting: "warn", quarantined: "bad"};
    keys.forEach((k, i) => {
        line.append(i ? ", " : "keys: ", element("span", {class: kinds[k.state] || "dim"},
            k.fingerprint + " " + k.state));
    });
    return line;
}

function card(u, index) {
    const m = u.last_minute;
    const past = history.get(u.name) || [];
    past.push(m.answered);
    if (past.length > historyLength)
        past.shift();
    history.set(u.name, past);
    const swatch = shape("svg", {viewBox: "0 0 10 10", width: "12", height: "12"});
    swatch.append(shape("rect", {width: 10, height: 10, rx: 2, fill: colours[index % colours.length]}));
    return element("article", {class: "card", "data-upstream": u.name},
        element("div", {class: "title"}, swatch, element("strong", {}, u.name), circuit(u)),
        element("div", {class: "dim"}, (u.model || "the caller's model") + ", weight " + u.weight),
        element("dl", {},
            figure("share", percent(m.share)),
            figure("answers / min", count(m.answered)),
            figure("errors", percent(m.error_rate), m.error_rate > 0.05 ? "bad" : m.error_rate > 0 ? "warn" : ""),
            figure("p50", milliseconds(m.p50_ms)),
            figure("p95", milliseconds(m.p95_ms)),
            figure("p99", milliseconds(m.p99_ms)),
            figure("first token p50", milliseconds(m.first_token_p50_ms)),
            figure("tokens / min", count(m.tokens)),
            figure("in flight", String(u.in_flight === undefined ? "-" : u.in_flight))),
        spark(past, colours[index % colours.length]),
        keyLine(u.keys));
}

function rollout(r) {
    const kinds = {running: "good", paused: "warn", completed: "good", rolled_back: "bad"};
    const svg = shape("svg", {viewBox: "0 0 100 6", preserveAspectRatio: "none", height: "14", role: "img"});
    svg.append(shape("title", {}, "stage " + (r.stage + 1) + " of " + r.stages));
    for (let i = 0; i < r.stages; ++i)
        svg.append(shape("rect", {x: 100 * i / r.stages, y: 0, width: 100 / r.stages - 1, height: 6,
            fill: i <= r.stage && r.status !== "rolled_back" ? "var(--good)" : "var(--line)"}));
    return element("article", {class: "card", "data-rollout": r.model},
        element("div", {class: "title"}, element("strong", {}, "Rollout of " + r.model + " to " + r.candidate),
            element("span", {class: "badge " + (kinds[r.status] || "dim")}, r.status.replace("_", " "))),
        element("p", {class: "dim"}, "stage " + (r.stage + 1) + " of " + r.stages + ", share " + percent(r.share)
            + ", for " + span(r.held_ms) + " of " + span(r.hold_ms)),
        svg,
        element("p", {class: "keys"}, r.why));
}

function dollars(amount) {
    return "$" + (amount >= 1000 ? Math.round(amount) : amount >= 0.01 || amount === 0 ? amount.toFixed(2)
        : amount.toPrecision(2));
}

function bar(share, kind) {
    const svg = shape("svg", {viewBox: "0 0 100 6", preserveAspectRatio: "none", height: "14", role: "img"});
    svg.append(shape("title", {}, percent(share)));
    svg.append(shape("rect", {x: 0, y: 0, width: 100, height: 6, fill: "var(--line)"}));
    svg.append(shape("rect", {x: 0, y: 0, width: 100 * Math.min(share, 1), height: 6, fill: "var(--" + kind + ")"}));
    return svg;
}

function cost(c) {
    const e = element("article", {class: "card", id: "cost"},
        element("div", {class: "title"}, element("strong", {}, "Cost since the start"),
            element("strong", {class: "amount"}, dollars(c.total_usd))));
    for (const [name, amount] of Object.entries(c.upstreams_usd))
        e.append(element("div", {class: "title dim"}, element("span", {class: "name"}, name),
            element("span", {}, dollars(amount))));
    for (const b of c.budgets) {
        const share = b.daily_usd > 0 ? b.spent_usd / b.daily_usd : 1;
        const kind = b.refuses || share >= 1 ? "bad" : share >= 0.85 ? "warn" : "good";
        e.append(element("p", {class: "keys"}, "budget " + b.name + ": ", element("span", {class: kind},
            dollars(b.spent_usd) + " of " + dollars(b.daily_usd) + " today" + (b.refuses ? ", used up" : ""))),
            bar(share, kind));
    }
    return e;
}

function cache(c) {
    return element("article", {class: "card", id: "cache"},
        element("div", {class: "title"}, element("strong", {}, "Cache since the start"),
            element("strong", {class: "amount"}, percent(c.hit_rate) + " hits")),
        element("dl", {}, figure("hits", count(c.hits)), figure("misses", count(c.misses)),
            figure("shared", count(c.shared))),
        element("p", {class: "keys"}), bar(c.hit_rate, "good"));
}

function failure(f) {
    return element("tr", {},
        element("td", {}, time(f.at_ms)),
        element("td", {}, f.model || "-"),
        element("td", {}, f.upstream),
        element("td", {class: "bad"}, f.kind.replaceAll("_", " ")),
        element("td", {}, f.status ? String(f.status) : "-"),
        element("td", {class: f.answered ? "good" : "bad"}, f.answered ? "answered" : "failed"));
}

// The whole in a word.
function health(state) {
    const bad = state.upstreams.filter(u => u.circuit === "open").length;
    const warn = state.upstreams.filter(u => u.circuit !== "open"
        && (u.circuit === "half_open" || u.resting_for_ms > 0)).length;
    const text = (bad ? [bad + " left alone"] : []).concat(warn ? [warn + " resting"] : []).join(", ");
    return element("span", {class: "badge " + (bad ? "bad" : warn ? "warn" : "good")},
        text ? text + ", of " + state.upstreams.length : "all upstreams answer");
}

function show(state) {
    const answered = state.upstreams.reduce((sum, u) => sum + u.last_minute.answered, 0);
    document.getElementById("health").replaceChildren(health(state));
    document.getElementById("summary").textContent = (state.draining ? "stopping, " : "")
        + count(answered) + " answers in the last minute, " + count(state.connections) + " of " + count(state.connection_limit)
        + " connections" + (state.reload_failure ? ". The configuration file is not in use: " + state.reload_failure : "");
    document.getElementById("share").replaceChildren(shareBar(state.upstreams));
    document.getElementById("upstreams").replaceChildren(...state.upstreams.map(card));
    document.getElementById("more").replaceChildren(...state.rollouts.map(rollout),
        ...(state.cost ? [cost(state.cost)] : []), ...(state.cache ? [cache(state.cache)] : []));
    const rows = state.failures.slice(0, 12).map(failure);
    if (rows.length === 0)
        rows.push(element("tr", {}, element("td", {colspan: "6", class: "dim"}, "none")));
    document.getElementById("failures").replaceChildren(...rows);
    document.getElementById("footer").textContent = "serin " + state.version + ", up for " + span(1000 * state.uptime_s)
        + ", as of " + time(state.at_ms);
    document.body.classList.remove("stale");
}

const events = new EventSource("/api/events");
events.onmessage = e => show(JSON.parse(e.data));
events.onerror = () => {
    document.body.classList.add("stale");
    document.getElementById("summary").textContent = "The gateway does not answer; trying again";
};
)page";
}

} // namespace serin::gateway
