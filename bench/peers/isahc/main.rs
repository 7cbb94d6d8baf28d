// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

//! isahc (libcurl inside) with serde and backon.

use backon::{ExponentialBuilder, Retryable};
use futures_util::{io::BufReader, AsyncBufReadExt, StreamExt};
use isahc::{
    config::Configurable,
    http::{header, Request},
    tls::{TlsConfig, TrustStore},
    AsyncBody, AsyncReadResponseExt, HttpClient, Response,
};
use measure::{is_transient, transient, ChatResponse, Error, Options, Outcome, Peer, Tokens};

struct Isahc {
    client: HttpClient,
    url: String,
    authorization: String,
    policy: ExponentialBuilder,
}

fn make(o: &Options) -> Isahc {
    let mut client = HttpClient::builder()
        .tcp_nodelay()
        .connection_cache_size(o.concurrency)
        .connect_timeout(measure::CONNECT_TIMEOUT)
        .timeout(measure::TIMEOUT);
    if let Some(ca) = &o.ca {
        client = client.tls_config(TlsConfig::builder().trust_store(TrustStore::from_file(ca)).build());
    }
    Isahc {
        client: client.build().expect("a client"),
        url: o.url(),
        authorization: format!("Bearer {}", measure::KEY),
        policy: ExponentialBuilder::default()
            .with_jitter()
            .with_min_delay(measure::BASE_DELAY)
            .with_max_delay(measure::MAX_DELAY)
            .with_max_times(measure::MAX_RETRIES),
    }
}

impl Isahc {
    async fn send(&self, body: &[u8]) -> Result<Response<AsyncBody>, Error> {
        let request = Request::post(&self.url)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::AUTHORIZATION, &self.authorization)
            .body(body.to_vec())?;
        let response = self.client.send_async(request).await.map_err(transient)?;
        match response.status().as_u16() {
            200 => Ok(response),
            status if measure::may_change(status) => Err(transient(response.status())),
            _ => Err(response.status().to_string().into()),
        }
    }

    async fn whole(&self, body: &[u8]) -> Result<ChatResponse, Error> {
        self.send(body).await?.json().await.map_err(transient)
    }
}

impl Peer for Isahc {
    async fn chat(&self, o: &Options) -> Result<Outcome, Error> {
        let body = serde_json::to_vec(&o.request())?;
        Ok((|| self.whole(&body)).retry(self.policy).when(is_transient).await?.into())
    }

    async fn stream(&self, o: &Options, tokens: &mut Tokens) -> Result<(), Error> {
        let body = serde_json::to_vec(&o.request())?;
        let response = (|| self.send(&body)).retry(self.policy).when(is_transient).await?;
        let mut lines = BufReader::new(response.into_body()).lines();
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
    measure::run("isahc", make);
}
