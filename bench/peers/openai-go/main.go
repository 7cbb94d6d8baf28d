// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// The official SDK for Go, with its own retries.
package main

import (
	"context"
	"errors"
	"net/http"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"serin/bench/measure"
)

type peer struct {
	client openai.Client
}

func build(o *measure.Options) measure.Peer {
	return &peer{openai.NewClient(
		option.WithBaseURL(o.BaseURL),
		option.WithAPIKey(measure.Key),
		option.WithMaxRetries(measure.MaxRetries),
		option.WithHTTPClient(&http.Client{Transport: o.Transport(), Timeout: measure.Timeout}),
	)}
}

func request(o *measure.Options) openai.ChatCompletionNewParams {
	messages := []openai.ChatCompletionMessageParamUnion{openai.SystemMessage(o.System)}
	for i := 0; i < o.History; i++ {
		messages = append(messages, openai.UserMessage(o.User), openai.AssistantMessage(o.System))
	}
	return openai.ChatCompletionNewParams{
		Model:       "bench-model",
		Messages:    append(messages, openai.UserMessage(o.User)),
		Temperature: openai.Float(0.5),
		MaxTokens:   openai.Int(512),
	}
}

func (p *peer) Chat(ctx context.Context, o *measure.Options) (measure.Outcome, error) {
	answer, err := p.client.Chat.Completions.New(ctx, request(o))
	if err != nil {
		return measure.Outcome{}, err
	}
	if len(answer.Choices) == 0 {
		return measure.Outcome{}, errors.New("no choice")
	}
	return measure.Outcome{
		Characters: len(answer.Choices[0].Message.Content) + int(answer.Usage.TotalTokens),
		Stopped:    answer.Choices[0].FinishReason == "stop",
	}, nil
}

func (p *peer) Stream(ctx context.Context, o *measure.Options, tokens *measure.Tokens) error {
	stream := p.client.Chat.Completions.NewStreaming(ctx, request(o))
	defer stream.Close()
	for stream.Next() {
		for _, choice := range stream.Current().Choices {
			tokens.Text(choice.Delta.Content)
			if choice.FinishReason != "" {
				tokens.Finish(choice.FinishReason)
			}
		}
	}
	return stream.Err()
}

func main() {
	measure.Run("openai-go", build)
}
