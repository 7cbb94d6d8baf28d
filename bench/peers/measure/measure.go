// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// Package measure is what all peers in Go share: the command line, what is asked, and what is measured and printed.
package measure

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"net"
	"net/http"
	"os"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Key is the API key of all peers.
const Key = "sk-bench-0123456789abcdef"

// The same for all peers, where their retry library can say it.
const (
	MaxRetries     = 4
	BaseDelay      = 500 * time.Millisecond
	MaxDelay       = 8 * time.Second
	ConnectTimeout = 5 * time.Second
	Timeout        = 600 * time.Second
)

// Options of the command line, and the texts of bench/harness/data.py.
type Options struct {
	BaseURL, Scenario, CA         string
	Calls, Warmup                 int64
	Concurrency, Threads, History int
	System, User                  string
}

// Stream says whether streams are asked for.
func (o *Options) Stream() bool { return o.Scenario == "stream" }

func parse() *Options {
	o := &Options{
		System: strings.Repeat("You are a careful assistant of a shipping company and answer briefly. ", 4),
		User:   strings.Repeat("She wrote: \"the crate no. 42 arrives on Monday\" - what do I answer?\n", 22),
	}
	flag.StringVar(&o.BaseURL, "base-url", "", "")
	flag.StringVar(&o.Scenario, "scenario", "chat", "")
	flag.StringVar(&o.CA, "ca", "", "")
	flag.Int64Var(&o.Calls, "calls", 100, "")
	flag.Int64Var(&o.Warmup, "warmup", 0, "")
	flag.IntVar(&o.Concurrency, "concurrency", 1, "")
	flag.IntVar(&o.Threads, "threads", 1, "")
	flag.IntVar(&o.History, "history", 0, "")
	flag.Bool("json", true, "")
	flag.Parse()
	return o
}

// Transport is Go's own with a pool of the size that is needed.
func (o *Options) Transport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = (&net.Dialer{Timeout: ConnectTimeout, KeepAlive: 30 * time.Second}).DialContext
	t.MaxIdleConns = 0
	t.MaxIdleConnsPerHost = o.Concurrency
	t.DisableCompression = true
	if o.CA != "" {
		pem, err := os.ReadFile(o.CA)
		if err != nil {
			panic(err)
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(pem)
		t.TLSClientConfig = &tls.Config{RootCAs: roots}
		t.ForceAttemptHTTP2 = false
	}
	return t
}

// Outcome of a call.
type Outcome struct {
	Characters int
	Stopped    bool
}

// Tokens takes those of one stream.
type Tokens struct {
	begin   time.Time
	first   time.Duration
	count   int
	outcome Outcome
}

// Text is a piece of the answer.
func (t *Tokens) Text(text string) {
	if text == "" {
		return
	}
	if t.count == 0 {
		t.first = time.Since(t.begin)
	}
	t.count++
	t.outcome.Characters += len(text)
}

// Finish is the end of the answer.
func (t *Tokens) Finish(reason string) { t.outcome.Stopped = reason == "stop" }

// Peer is a client.
type Peer interface {
	Chat(ctx context.Context, o *Options) (Outcome, error)
	Stream(ctx context.Context, o *Options, tokens *Tokens) error
}

type figures struct {
	latencies, firstTokens, intervals []float64
	ok, failed, chunks, characters    int
}

func us(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }

func one(peer Peer, o *Options, f *figures) {
	begin := time.Now()
	var outcome Outcome
	var err error
	if o.Stream() {
		t := Tokens{begin: begin}
		if err = peer.Stream(context.Background(), o, &t); err == nil {
			f.firstTokens = append(f.firstTokens, us(t.first))
			if t.count > 1 {
				f.intervals = append(f.intervals, us(time.Since(begin)-t.first)/float64(t.count-1))
			}
			f.chunks += t.count
			outcome = t.outcome
		}
	} else {
		outcome, err = peer.Chat(context.Background(), o)
	}
	f.characters += outcome.Characters
	if err != nil && f.failed == 0 {
		fmt.Fprintln(os.Stderr, err)
	}
	if err == nil && outcome.Stopped {
		f.ok++
	} else {
		f.failed++
	}
	f.latencies = append(f.latencies, us(time.Since(begin)))
}

func calls(peer Peer, o *Options, count int64) figures {
	all := make([]figures, o.Concurrency)
	var wait sync.WaitGroup
	for i := range all {
		wait.Add(1)
		go func(f *figures) {
			defer wait.Done()
			for atomic.AddInt64(&count, -1) >= 0 {
				one(peer, o, f)
			}
		}(&all[i])
	}
	wait.Wait()
	var sum figures
	for _, f := range all {
		sum.latencies = append(sum.latencies, f.latencies...)
		sum.firstTokens = append(sum.firstTokens, f.firstTokens...)
		sum.intervals = append(sum.intervals, f.intervals...)
		sum.ok += f.ok
		sum.failed += f.failed
		sum.chunks += f.chunks
		sum.characters += f.characters
	}
	sort.Float64s(sum.latencies)
	sort.Float64s(sum.firstTokens)
	sort.Float64s(sum.intervals)
	return sum
}

func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[int(math.Round(q*float64(len(sorted)-1)))]
}

func usage() (r syscall.Rusage) {
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		panic(err)
	}
	return r
}

func seconds(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }

// Run is the whole program of a peer.
func Run(name string, build func(*Options) Peer) {
	o := parse()
	peer := build(o)
	if o.Warmup > 0 {
		calls(peer, o, o.Warmup)
	}
	before := usage()
	begin := time.Now()
	f := calls(peer, o, o.Calls)
	wall := time.Since(begin)
	after := usage()
	out, _ := json.Marshal(map[string]any{
		"peer": name, "scenario": o.Scenario, "calls": o.Calls, "ok": f.ok, "failed": f.failed, "chunks": f.chunks,
		"characters": f.characters, "wall_s": wall.Seconds(),
		"user_s": seconds(after.Utime) - seconds(before.Utime), "sys_s": seconds(after.Stime) - seconds(before.Stime),
		"max_rss_kb": after.Maxrss,
		"p50_us":     quantile(f.latencies, 0.5), "p99_us": quantile(f.latencies, 0.99),
		"ttft_p50_us": quantile(f.firstTokens, 0.5), "ttft_p99_us": quantile(f.firstTokens, 0.99),
		"interval_p50_us": quantile(f.intervals, 0.5), "interval_p99_us": quantile(f.intervals, 0.99),
	})
	fmt.Println(string(out))
}
