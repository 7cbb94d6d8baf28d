// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

//! hyper with hyper-util's pooled client, serde and backon.

use backon::{ExponentialBuilder, Retryable};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{header, Request, Response};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{connect::HttpConnector, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use measure::{is_transient, transient, Error, Options, Outcome, Peer, Tokens};
use rustls::pki_types::{pem::PemObject, CertificateDer};

struct Hyper {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    uri: hyper::Uri,
    authorization: header::HeaderValue,
    policy: ExponentialBuilder,
}

fn make(o: &Options) -> Hyper {
    let mut roots = rustls::RootCertStore::empty();
    if let Some(pem) = o.ca_pem() {
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            roots.add(certificate.expect("a certificate")).expect("a root");
        }
    }
    let tls = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let mut http = HttpConnector::new();
    http.set_nodelay(true);
    http.enforce_http(false);
    http.set_connect_timeout(Some(measure::CONNECT_TIMEOUT));
    let connector =
        HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(http);
    Hyper {
        client: Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector),
        uri: o.url().parse().expect("--base-url"),
        authorization: format!("Bearer {}", measure::KEY).parse().expect("a key"),
        policy: ExponentialBuilder::default()
            .with_jitter()
            .with_min_delay(measure::BASE_DELAY)
            .with_max_delay(measure::MAX_DELAY)
            .with_max_times(measure::MAX_RETRIES),
    }
}

impl Hyper {
    async fn send(&self, body: Bytes) -> Result<Response<Incoming>, Error> {
        let request = Request::post(self.uri.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::AUTHORIZATION, self.authorization.clone())
            .body(Full::new(body))?;
        let response = self.client.request(request).await.map_err(transient)?;
        match response.status().as_u16() {
            200 => Ok(response),
            status if measure::may_change(status) => Err(transient(response.status())),
            _ => Err(response.status().to_string().into()),
        }
    }

    async fn whole(&self, body: Bytes) -> Result<measure::ChatResponse, Error> {
        let bytes = self.send(body).await?.into_body().collect().await.map_err(transient)?.to_bytes();
        serde_json::from_slice(&bytes).map_err(transient)
    }
}

/// Takes whole lines of an event stream out of what has arrived.
fn take_lines(buffer: &mut Vec<u8>, tokens: &mut Tokens) -> Result<bool, Error> {
    let mut from = 0;
    let mut done = false;
    while let Some(length) = buffer[from..].iter().position(|&b| b == b'\n') {
        let line = &buffer[from..from + length];
        from += length + 1;
        let Some(data) = line.strip_prefix(b"data:") else { continue };
        let data = data.trim_ascii();
        if data == b"[DONE]" {
            done = true;
        } else {
            tokens.take(serde_json::from_slice(data)?);
        }
    }
    buffer.drain(..from);
    Ok(done)
}

impl Peer for Hyper {
    async fn chat(&self, o: &Options) -> Result<Outcome, Error> {
        let body = Bytes::from(serde_json::to_vec(&o.request())?);
        let call = (|| self.whole(body.clone())).retry(self.policy).when(is_transient);
        Ok(tokio::time::timeout(measure::TIMEOUT, call).await??.into())
    }

    async fn stream(&self, o: &Options, tokens: &mut Tokens) -> Result<(), Error> {
        let body = Bytes::from(serde_json::to_vec(&o.request())?);
        let call = (|| self.send(body.clone())).retry(self.policy).when(is_transient);
        tokio::time::timeout(measure::TIMEOUT, async {
            let mut body = call.await?.into_body();
            let mut buffer = Vec::new();
            let mut done = false;
            while let Some(frame) = body.frame().await {
                if let Ok(data) = frame?.into_data() {
                    buffer.extend_from_slice(&data);
                    done |= take_lines(&mut buffer, tokens)?;
                }
            }
            if done {
                Ok(())
            } else {
                Err("the stream was cut".into())
            }
        })
        .await?
    }
}

fn main() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    measure::run("hyper", make);
}
