// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

//! async-openai, with its own retries and its own types.

use async_openai::{
    config::OpenAIConfig,
    types::chat::{
        ChatCompletionRequestAssistantMessage, ChatCompletionRequestMessage, ChatCompletionRequestSystemMessage,
        ChatCompletionRequestUserMessage, CreateChatCompletionRequest, CreateChatCompletionRequestArgs, FinishReason,
    },
    Client,
};
use futures_util::StreamExt;
use measure::{Error, Options, Outcome, Peer, Tokens};

struct AsyncOpenai {
    client: Client<OpenAIConfig>,
}

fn make(o: &Options) -> AsyncOpenai {
    let mut http = reqwest::Client::builder().connect_timeout(measure::CONNECT_TIMEOUT).timeout(measure::TIMEOUT);
    if let Some(pem) = o.ca_pem() {
        http = http.tls_certs_only([reqwest::Certificate::from_pem(&pem).expect("a certificate")]);
    }
    let config = OpenAIConfig::new().with_api_base(&o.base_url).with_api_key(measure::KEY);
    AsyncOpenai { client: Client::with_config(config).with_http_client(http.build().expect("a client")) }
}

fn request(o: &Options) -> Result<CreateChatCompletionRequest, Error> {
    let mut messages: Vec<ChatCompletionRequestMessage> =
        vec![ChatCompletionRequestSystemMessage::from(o.system.as_str()).into()];
    for _ in 0..o.history {
        messages.push(ChatCompletionRequestUserMessage::from(o.user.as_str()).into());
        messages.push(ChatCompletionRequestAssistantMessage::from(o.system.as_str()).into());
    }
    messages.push(ChatCompletionRequestUserMessage::from(o.user.as_str()).into());
    #[allow(deprecated)] // Servers other than OpenAI's know max_tokens only.
    let request = CreateChatCompletionRequestArgs::default()
        .model("bench-model")
        .messages(messages)
        .temperature(0.5)
        .max_tokens(512u32)
        .build()?;
    Ok(request)
}

impl Peer for AsyncOpenai {
    async fn chat(&self, o: &Options) -> Result<Outcome, Error> {
        let response = self.client.chat().create(request(o)?).await?;
        let usage = response.usage.map_or(0, |u| u.total_tokens as usize);
        let choice = response.choices.into_iter().next().ok_or("no choice")?;
        Ok(Outcome {
            characters: choice.message.content.unwrap_or_default().len() + usage,
            stopped: choice.finish_reason == Some(FinishReason::Stop),
        })
    }

    async fn stream(&self, o: &Options, tokens: &mut Tokens) -> Result<(), Error> {
        let mut stream = self.client.chat().create_stream(request(o)?).await?;
        while let Some(chunk) = stream.next().await {
            for choice in chunk?.choices {
                tokens.text(choice.delta.content.as_deref());
                if let Some(reason) = choice.finish_reason {
                    tokens.finish(reason == FinishReason::Stop);
                }
            }
        }
        Ok(())
    }
}

fn main() {
    measure::run("async-openai", make);
}
