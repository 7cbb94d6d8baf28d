// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

//! surf with its default client (isahc 0.9), serde and backon.

use backon::{ExponentialBuilder, Retryable};
use futures_util::{AsyncBufReadExt, StreamExt};
use isahc::config::{CaCertificate, Configurable};
use measure::{is_transient, transient, ChatResponse, Error, Options, Outcome, Peer, Tokens};

struct Surf {
    client: surf::Client,
    url: String,
    authorization: String,
    policy: ExponentialBuilder,
}

fn make(o: &Options) -> Surf {
    let mut client = isahc::HttpClient::builder()
        .tcp_nodelay()
        .connection_cache_size(o.concurrency)
        .connect_timeout(measure::CONNECT_TIMEOUT)
        .timeout(measure::TIMEOUT);
    if let Some(ca) = &o.ca {
        client = client.ssl_ca_certificate(CaCertificate::file(ca));
    }
    let client = http_client::isahc::IsahcClient::from_client(client.build().expect("a client"));
    Surf {
        client: surf::Client::with_http_client(client),
        url: o.url(),
        authorization: format!("Bearer {}", measure::KEY),
        policy: ExponentialBuilder::default()
            .with_jitter()
            .with_min_delay(measure::BASE_DELAY)
            .with_max_delay(measure::MAX_DELAY)
            .with_max_times(measure::MAX_RETRIES),
    }
}

impl Surf {
    async fn send(&self, body: &[u8]) -> Result<surf::Response, Error> {
        let request = self
            .client
            .post(&self.url)
            .content_type("application/json")
            .header("Authorization", self.authorization.as_str())
            .body(body);
        let response = request.send().await.map_err(transient)?;
        match response.status().into() {
            200 => Ok(response),
            status if measure::may_change(status) => Err(transient(response.status())),
            _ => Err(response.status().to_string().into()),
        }
    }

    async fn whole(&self, body: &[u8]) -> Result<ChatResponse, Error> {
        self.send(body).await?.body_json().await.map_err(transient)
    }
}

impl Peer for Surf {
    async fn chat(&self, o: &Options) -> Result<Outcome, Error> {
        let body = serde_json::to_vec(&o.request())?;
        Ok((|| self.whole(&body)).retry(self.policy).when(is_transient).await?.into())
    }

    async fn stream(&self, o: &Options, tokens: &mut Tokens) -> Result<(), Error> {
        let body = serde_json::to_vec(&o.request())?;
        let response = (|| self.send(&body)).retry(self.policy).when(is_transient).await?;
        let mut lines = response.lines();
        let mut done = false;
        while let Some(line) = lines.next().await {
            let line = line?;
            match line.strip_prefix("data:").map(str::trim) {
                Some("[DONE]") => done = true,
                Some(data) => tokens.take(serde_json::from_str(data)?),
                None => {}
            }
        }
        if done {
            Ok(())
        } else {
            Err("the stream was cut".into())
        }
    }
}

fn main() {
    measure::run("surf", make);
}
