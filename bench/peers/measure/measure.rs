// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

//! What all peers in Rust share: the command line, the types of request and answer, and what is measured and printed.

use std::future::Future;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

pub type Error = Box<dyn std::error::Error + Send + Sync>;

pub const KEY: &str = "sk-bench-0123456789abcdef";

/// The same for all peers, where their retry library can say it.
pub const MAX_RETRIES: usize = 4;
pub const BASE_DELAY: Duration = Duration::from_millis(500);
pub const MAX_DELAY: Duration = Duration::from_secs(8);
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
pub const TIMEOUT: Duration = Duration::from_secs(600);

/// Whether the same request may be answered otherwise the next time.
pub fn may_change(status: u16) -> bool {
    matches!(status, 408 | 409 | 429) || status >= 500
}

#[derive(Debug)]
struct Transient(String);

impl std::fmt::Display for Transient {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Transient {}

/// For clients that leave to the program what is tried again: an error after which it is.
pub fn transient(e: impl std::fmt::Display) -> Error {
    Transient(e.to_string()).into()
}

pub fn is_transient(e: &Error) -> bool {
    e.is::<Transient>()
}

// --- What is asked and answered ---

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    System,
    User,
    Assistant,
}

#[derive(Serialize)]
pub struct RequestMessage {
    pub role: Role,
    pub content: String,
}

#[derive(Serialize)]
pub struct ChatRequest {
    pub model: String,
    pub messages: Vec<RequestMessage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub stream: bool,
}

#[derive(Deserialize)]
pub struct Message {
    pub role: Option<Role>,
    pub content: Option<String>,
    pub refusal: Option<String>,
}

#[derive(Deserialize)]
pub struct Choice {
    pub index: u32,
    pub message: Message,
    pub finish_reason: Option<String>,
}

#[derive(Deserialize)]
pub struct PromptDetails {
    pub cached_tokens: Option<u64>,
    pub audio_tokens: Option<u64>,
}

#[derive(Deserialize)]
pub struct CompletionDetails {
    pub reasoning_tokens: Option<u64>,
    pub audio_tokens: Option<u64>,
    pub accepted_prediction_tokens: Option<u64>,
    pub rejected_prediction_tokens: Option<u64>,
}

#[derive(Deserialize)]
pub struct Usage {
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    pub total_tokens: u64,
    pub prompt_tokens_details: Option<PromptDetails>,
    pub completion_tokens_details: Option<CompletionDetails>,
}

#[derive(Deserialize)]
pub struct ChatResponse {
    pub id: String,
    pub object: String,
    pub created: u64,
    pub model: String,
    pub choices: Vec<Choice>,
    pub usage: Option<Usage>,
    pub service_tier: Option<String>,
    pub system_fingerprint: Option<String>,
}

#[derive(Deserialize)]
pub struct ChunkChoice {
    pub index: u32,
    pub delta: Message,
    pub finish_reason: Option<String>,
}

#[derive(Deserialize)]
pub struct Chunk {
    pub id: String,
    pub object: String,
    pub created: u64,
    pub model: String,
    pub choices: Vec<ChunkChoice>,
    pub usage: Option<Usage>,
    pub service_tier: Option<String>,
    pub system_fingerprint: Option<String>,
}

// --- The command line ---

pub struct Options {
    pub base_url: String,
    pub scenario: String,
    pub ca: Option<String>,
    pub calls: i64,
    pub warmup: i64,
    pub concurrency: usize,
    pub threads: usize,
    pub history: usize,
    /// The same texts as in bench/harness/data.py.
    pub system: String,
    pub user: String,
}

impl Options {
    fn parse() -> Options {
        let mut o = Options {
            base_url: String::new(),
            scenario: "chat".into(),
            ca: None,
            calls: 100,
            warmup: 0,
            concurrency: 1,
            threads: 1,
            history: 0,
            system: "You are a careful assistant of a shipping company and answer briefly. ".repeat(4),
            user: "She wrote: \"the crate no. 42 arrives on Monday\" - what do I answer?\n".repeat(22),
        };
        let mut args = std::env::args().skip(1);
        while let Some(name) = args.next() {
            if name == "--json" {
                continue;
            }
            let value = args.next().unwrap_or_default();
            let number = || value.parse::<i64>().expect("a number");
            match name.as_str() {
                "--base-url" => o.base_url = value,
                "--scenario" => o.scenario = value,
                "--ca" => o.ca = Some(value),
                "--calls" => o.calls = number(),
                "--warmup" => o.warmup = number(),
                "--concurrency" => o.concurrency = number() as usize,
                "--threads" => o.threads = number() as usize,
                "--history" => o.history = number() as usize,
                _ => {
                    eprintln!("unknown option {name}");
                    std::process::exit(2);
                }
            }
        }
        o
    }

    pub fn url(&self) -> String {
        format!("{}/chat/completions", self.base_url)
    }

    pub fn ca_pem(&self) -> Option<Vec<u8>> {
        self.ca.as_ref().map(|file| std::fs::read(file).expect("the file of --ca"))
    }

    pub fn request(&self) -> ChatRequest {
        let message = |role, text: &String| RequestMessage { role, content: text.clone() };
        let mut messages = vec![message(Role::System, &self.system)];
        for _ in 0..self.history {
            messages.push(message(Role::User, &self.user));
            messages.push(message(Role::Assistant, &self.system));
        }
        messages.push(message(Role::User, &self.user));
        ChatRequest {
            model: "bench-model".into(),
            messages,
            temperature: Some(0.5),
            max_tokens: Some(512),
            stream: self.scenario == "stream",
        }
    }
}

// --- What is measured ---

/// What a call has brought.
pub struct Outcome {
    pub characters: usize,
    pub stopped: bool,
}

impl From<ChatResponse> for Outcome {
    fn from(response: ChatResponse) -> Outcome {
        let usage = response.usage.map_or(0, |u| u.total_tokens as usize);
        match response.choices.into_iter().next() {
            Some(choice) => Outcome {
                characters: choice.message.content.unwrap_or_default().len() + usage,
                stopped: choice.finish_reason.as_deref() == Some("stop"),
            },
            None => Outcome { characters: usage, stopped: false },
        }
    }
}

/// Takes the tokens of one stream.
pub struct Tokens {
    begin: Instant,
    first: Duration,
    count: usize,
    characters: usize,
    stopped: bool,
}

impl Tokens {
    pub fn text(&mut self, text: Option<&str>) {
        let length = text.map_or(0, str::len);
        if length == 0 {
            return;
        }
        if self.count == 0 {
            self.first = self.begin.elapsed();
        }
        self.count += 1;
        self.characters += length;
    }

    pub fn finish(&mut self, stopped: bool) {
        self.stopped = stopped;
    }

    pub fn take(&mut self, chunk: Chunk) {
        for choice in chunk.choices {
            self.text(choice.delta.content.as_deref());
            if let Some(reason) = choice.finish_reason {
                self.finish(reason == "stop");
            }
        }
    }
}

pub trait Peer: Send + Sync + 'static {
    fn chat(&self, o: &Options) -> impl Future<Output = Result<Outcome, Error>> + Send;
    fn stream(&self, o: &Options, tokens: &mut Tokens) -> impl Future<Output = Result<(), Error>> + Send;
}

#[derive(Default)]
struct Figures {
    latencies: Vec<f64>,
    first_tokens: Vec<f64>,
    intervals: Vec<f64>,
    ok: u64,
    failed: u64,
    chunks: usize,
    characters: usize,
}

fn us(d: Duration) -> f64 {
    d.as_secs_f64() * 1e6
}

async fn worker<P: Peer>(peer: Arc<P>, o: Arc<Options>, left: Arc<AtomicI64>, name: &'static str) -> Figures {
    let mut f = Figures::default();
    while left.fetch_sub(1, Ordering::Relaxed) > 0 {
        let begin = Instant::now();
        let result = if o.scenario == "stream" {
            let mut tokens = Tokens { begin, first: Duration::ZERO, count: 0, characters: 0, stopped: false };
            let result = peer.stream(&o, &mut tokens).await;
            result.map(|()| {
                f.first_tokens.push(us(tokens.first));
                if tokens.count > 1 {
                    f.intervals.push(us(begin.elapsed() - tokens.first) / (tokens.count - 1) as f64);
                }
                f.chunks += tokens.count;
                Outcome { characters: tokens.characters, stopped: tokens.stopped }
            })
        } else {
            peer.chat(&o).await
        };
        match result {
            Ok(outcome) => {
                f.characters += outcome.characters;
                *(if outcome.stopped { &mut f.ok } else { &mut f.failed }) += 1;
            }
            Err(e) => {
                if f.failed == 0 {
                    eprintln!("{name}: {e}");
                }
                f.failed += 1;
            }
        }
        f.latencies.push(us(begin.elapsed()));
    }
    f
}

async fn calls<P: Peer>(peer: &Arc<P>, o: &Arc<Options>, count: i64, name: &'static str) -> Figures {
    let left = Arc::new(AtomicI64::new(count));
    let workers: Vec<_> =
        (0..o.concurrency).map(|_| tokio::spawn(worker(peer.clone(), o.clone(), left.clone(), name))).collect();
    let mut sum = Figures::default();
    for w in workers {
        let f = w.await.expect("a worker");
        sum.latencies.extend(f.latencies);
        sum.first_tokens.extend(f.first_tokens);
        sum.intervals.extend(f.intervals);
        sum.ok += f.ok;
        sum.failed += f.failed;
        sum.chunks += f.chunks;
        sum.characters += f.characters;
    }
    sum
}

fn quantile(values: &mut [f64], q: f64) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let at = (q * (values.len() - 1) as f64 + 0.5) as usize;
    *values.select_nth_unstable_by(at, f64::total_cmp).1
}

fn usage() -> libc::rusage {
    let mut r = std::mem::MaybeUninit::zeroed();
    unsafe {
        libc::getrusage(libc::RUSAGE_SELF, r.as_mut_ptr());
        r.assume_init()
    }
}

fn seconds(after: libc::timeval, before: libc::timeval) -> f64 {
    (after.tv_sec - before.tv_sec) as f64 + (after.tv_usec - before.tv_usec) as f64 / 1e6
}

/// The whole program of a peer. `make` is called on the runtime.
pub fn run<P: Peer>(name: &'static str, make: fn(&Options) -> P) {
    if std::env::args().nth(1).as_deref() == Some("--version") {
        println!("{{\"peer\": \"{name}\"}}");
        return;
    }
    let o = Arc::new(Options::parse());
    let runtime = if o.threads > 1 {
        tokio::runtime::Builder::new_multi_thread().worker_threads(o.threads).enable_all().build()
    } else {
        tokio::runtime::Builder::new_current_thread().enable_all().build()
    };
    runtime.expect("a runtime").block_on(async {
        let peer = Arc::new(make(&o));
        if o.warmup > 0 {
            calls(&peer, &o, o.warmup, name).await;
        }
        let before = usage();
        let begin = Instant::now();
        let mut f = calls(&peer, &o, o.calls, name).await;
        let wall = begin.elapsed();
        let after = usage();
        println!(
            "{{\"peer\": \"{name}\", \"scenario\": \"{}\", \"calls\": {}, \"ok\": {}, \"failed\": {}, \"chunks\": {}, \
             \"characters\": {}, \"wall_s\": {:.6}, \"user_s\": {:.6}, \"sys_s\": {:.6}, \"max_rss_kb\": {}, \
             \"p50_us\": {:.1}, \"p99_us\": {:.1}, \"ttft_p50_us\": {:.1}, \"ttft_p99_us\": {:.1}, \
             \"interval_p50_us\": {:.1}, \"interval_p99_us\": {:.1}}}",
            o.scenario,
            o.calls,
            f.ok,
            f.failed,
            f.chunks,
            f.characters,
            wall.as_secs_f64(),
            seconds(after.ru_utime, before.ru_utime),
            seconds(after.ru_stime, before.ru_stime),
            after.ru_maxrss,
            quantile(&mut f.latencies, 0.5),
            quantile(&mut f.latencies, 0.99),
            quantile(&mut f.first_tokens, 0.5),
            quantile(&mut f.first_tokens, 0.99),
            quantile(&mut f.intervals, 0.5),
            quantile(&mut f.intervals, 0.99),
        );
    });
}
