// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// Go's net/http and encoding/json with go-retryablehttp.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/hashicorp/go-retryablehttp"

	"serin/bench/measure"
)

type message struct {
	Role    string  `json:"role"`
	Content string  `json:"content"`
	Refusal *string `json:"refusal,omitempty"`
}

type chatRequest struct {
	Model       string    `json:"model"`
	Messages    []message `json:"messages"`
	Temperature *float64  `json:"temperature,omitempty"`
	MaxTokens   *int      `json:"max_tokens,omitempty"`
	Stream      bool      `json:"stream,omitempty"`
}

type usage struct {
	PromptTokens        int `json:"prompt_tokens"`
	CompletionTokens    int `json:"completion_tokens"`
	TotalTokens         int `json:"total_tokens"`
	PromptTokensDetails struct {
		CachedTokens int `json:"cached_tokens"`
		AudioTokens  int `json:"audio_tokens"`
	} `json:"prompt_tokens_details"`
	CompletionTokensDetails struct {
		ReasoningTokens          int `json:"reasoning_tokens"`
		AudioTokens              int `json:"audio_tokens"`
		AcceptedPredictionTokens int `json:"accepted_prediction_tokens"`
		RejectedPredictionTokens int `json:"rejected_prediction_tokens"`
	} `json:"completion_tokens_details"`
}

// Of a chunk too.
type chatResponse struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	Model   string `json:"model"`
	Choices []struct {
		Index        int     `json:"index"`
		Message      message `json:"message"`
		Delta        message `json:"delta"`
		FinishReason *string `json:"finish_reason"`
	} `json:"choices"`
	Usage             *usage `json:"usage"`
	ServiceTier       string `json:"service_tier"`
	SystemFingerprint string `json:"system_fingerprint"`
}

type peer struct {
	client *retryablehttp.Client
}

func build(o *measure.Options) measure.Peer {
	client := retryablehttp.NewClient()
	client.HTTPClient = &http.Client{Transport: o.Transport(), Timeout: measure.Timeout}
	client.Logger = nil
	client.RetryMax = measure.MaxRetries
	client.RetryWaitMin = measure.BaseDelay
	client.RetryWaitMax = measure.MaxDelay
	return &peer{client}
}

func (p *peer) send(ctx context.Context, o *measure.Options) (*http.Response, error) {
	temperature, maxTokens := 0.5, 512
	request := chatRequest{Model: "bench-model", Temperature: &temperature, MaxTokens: &maxTokens, Stream: o.Stream()}
	request.Messages = append(request.Messages, message{Role: "system", Content: o.System})
	for i := 0; i < o.History; i++ {
		request.Messages = append(request.Messages, message{Role: "user", Content: o.User},
			message{Role: "assistant", Content: o.System})
	}
	request.Messages = append(request.Messages, message{Role: "user", Content: o.User})
	body, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	r, err := retryablehttp.NewRequestWithContext(ctx, http.MethodPost, o.BaseURL+"/chat/completions", body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+measure.Key)
	response, err := p.client.Do(r)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		response.Body.Close()
		return nil, fmt.Errorf("status %d", response.StatusCode)
	}
	return response, nil
}

func (p *peer) Chat(ctx context.Context, o *measure.Options) (measure.Outcome, error) {
	response, err := p.send(ctx, o)
	if err != nil {
		return measure.Outcome{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return measure.Outcome{}, err
	}
	var answer chatResponse
	if err := json.Unmarshal(body, &answer); err != nil {
		return measure.Outcome{}, err
	}
	if len(answer.Choices) == 0 {
		return measure.Outcome{}, errors.New("no choice")
	}
	out := measure.Outcome{Characters: len(answer.Choices[0].Message.Content)}
	if answer.Usage != nil {
		out.Characters += answer.Usage.TotalTokens
	}
	reason := answer.Choices[0].FinishReason
	out.Stopped = reason != nil && *reason == "stop"
	return out, nil
}

func (p *peer) Stream(ctx context.Context, o *measure.Options, tokens *measure.Tokens) error {
	response, err := p.send(ctx, o)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	done := false
	for lines.Scan() {
		data, found := bytes.CutPrefix(lines.Bytes(), []byte("data:"))
		if !found {
			continue
		}
		data = bytes.TrimSpace(data)
		if string(data) == "[DONE]" {
			done = true
			continue
		}
		var chunk chatResponse
		if err := json.Unmarshal(data, &chunk); err != nil {
			return err
		}
		for i := range chunk.Choices {
			tokens.Text(chunk.Choices[i].Delta.Content)
			if reason := chunk.Choices[i].FinishReason; reason != nil {
				tokens.Finish(*reason)
			}
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	if !done {
		return errors.New("the stream was cut")
	}
	return nil
}

func main() {
	measure.Run("nethttp", build)
}
