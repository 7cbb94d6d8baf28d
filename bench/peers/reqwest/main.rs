// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

//! reqwest with reqwest-middleware, reqwest-retry and eventsource-stream.

use eventsource_stream::Eventsource;
use futures_util::StreamExt;
use measure::{ChatResponse, Error, Options, Outcome, Peer, Tokens};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use reqwest_retry::{policies::ExponentialBackoff, Jitter, RetryTransientMiddleware};

struct Reqwest {
    client: ClientWithMiddleware,
    url: String,
}

fn make(o: &Options) -> Reqwest {
    let mut client = reqwest::Client::builder().connect_timeout(measure::CONNECT_TIMEOUT).timeout(measure::TIMEOUT);
    if let Some(pem) = o.ca_pem() {
        client = client.tls_certs_only([reqwest::Certificate::from_pem(&pem).expect("a certificate")]);
    }
    let policy = ExponentialBackoff::builder()
        .retry_bounds(measure::BASE_DELAY, measure::MAX_DELAY)
        .jitter(Jitter::Full)
        .build_with_max_retries(measure::MAX_RETRIES as u32);
    Reqwest {
        client: ClientBuilder::new(client.build().expect("a client"))
            .with(RetryTransientMiddleware::new_with_policy(policy))
            .build(),
        url: o.url(),
    }
}

impl Reqwest {
    async fn send(&self, o: &Options) -> Result<reqwest::Response, Error> {
        let request = self.client.post(&self.url).bearer_auth(measure::KEY).json(&o.request());
        Ok(request.send().await?.error_for_status()?)
    }
}

impl Peer for Reqwest {
    async fn chat(&self, o: &Options) -> Result<Outcome, Error> {
        let response: ChatResponse = self.send(o).await?.json().await?;
        Ok(response.into())
    }

    async fn stream(&self, o: &Options, tokens: &mut Tokens) -> Result<(), Error> {
        let mut events = self.send(o).await?.bytes_stream().eventsource();
        while let Some(event) = events.next().await {
            let event = event?;
            if event.data == "[DONE]" {
                // Reads to the end, so that the connection can be used again.
                while events.next().await.is_some() {}
                return Ok(());
            }
            tokens.take(serde_json::from_str(&event.data)?);
        }
        Err("the stream was cut".into())
    }
}

fn main() {
    measure::run("reqwest", make);
}
