// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// The bodies of the library, for programs that link serin::header_only instead of serin::serin. Include this in exactly
// one source file of the program, and nothing else there that needs to compile fast.

#ifndef SERIN_SRC_HPP
#define SERIN_SRC_HPP

// Types in unnamed namespaces are fine in the one file that includes this, and GCC cannot know that there is just one.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsubobject-linkage"
#endif

#include <serin/src/core/abi.cpp>
#include <serin/src/core/circuit_state.cpp>
#include <serin/src/core/clock_source.cpp>
#include <serin/src/core/diagnostics.cpp>
#include <serin/src/core/error.cpp>
#include <serin/src/core/fiber.cpp>
#include <serin/src/core/file_watch.cpp>
#include <serin/src/core/give_up.cpp>
#include <serin/src/core/headers.cpp>
#include <serin/src/core/recycler.cpp>
#include <serin/src/core/secret.cpp>
#include <serin/src/core/utf8.cpp>

#include <serin/src/sse/parser.cpp>

#include <serin/src/http/connect.cpp>
#include <serin/src/http/connection.cpp>
#include <serin/src/http/exchange.cpp>
#include <serin/src/http/field_block.cpp>
#include <serin/src/http/pool.cpp>
#include <serin/src/http/resolve.cpp>
#include <serin/src/http/response_parser.cpp>
#include <serin/src/http/tls.cpp>
#include <serin/src/http/url.cpp>

#include <serin/src/chat/accumulator.cpp>
#include <serin/src/chat/base64.cpp>
#include <serin/src/chat/delta_record.cpp>
#include <serin/src/chat/dialect.cpp>
#include <serin/src/chat/embedding.cpp>
#include <serin/src/chat/embedding_wire.cpp>
#include <serin/src/chat/errors.cpp>
#include <serin/src/chat/json_object_writer.cpp>
#include <serin/src/chat/json_reader.cpp>
#include <serin/src/chat/json_writer.cpp>
#include <serin/src/chat/message.cpp>
#include <serin/src/chat/model_list_wire.cpp>
#include <serin/src/chat/moderation.cpp>
#include <serin/src/chat/moderation_wire.cpp>
#include <serin/src/chat/relay_wire.cpp>
#include <serin/src/chat/request.cpp>
#include <serin/src/chat/request_check.cpp>
#include <serin/src/chat/response.cpp>
#include <serin/src/chat/wire_read.cpp>
#include <serin/src/chat/wire_write.cpp>

#include <serin/src/policy/binomial.cpp>
#include <serin/src/policy/cache_key.cpp>
#include <serin/src/policy/cached_answer.cpp>
#include <serin/src/policy/circuit.cpp>
#include <serin/src/policy/cost.cpp>
#include <serin/src/policy/cost_ledger.cpp>
#include <serin/src/policy/duration_histogram.cpp>
#include <serin/src/policy/file_keys.cpp>
#include <serin/src/policy/function_keys.cpp>
#include <serin/src/policy/gate_check.cpp>
#include <serin/src/policy/key_keeper.cpp>
#include <serin/src/policy/key_ring.cpp>
#include <serin/src/policy/keys.cpp>
#include <serin/src/policy/limit_gate.cpp>
#include <serin/src/policy/lru_table.cpp>
#include <serin/src/policy/memory_cache.cpp>
#include <serin/src/policy/outcome_window.cpp>
#include <serin/src/policy/price_table.cpp>
#include <serin/src/policy/rate_limiter.cpp>
#include <serin/src/policy/read_keys.cpp>
#include <serin/src/policy/retry.cpp>
#include <serin/src/policy/retry_budget.cpp>
#include <serin/src/policy/rollout.cpp>
#include <serin/src/policy/router.cpp>
#include <serin/src/policy/shared_gate.cpp>
#include <serin/src/policy/verdict.cpp>

#include <serin/src/observe/alert.cpp>
#include <serin/src/observe/alert_monitor.cpp>
#include <serin/src/observe/alert_text.cpp>
#include <serin/src/observe/alert_watch.cpp>
#include <serin/src/observe/bucket_counts.cpp>
#include <serin/src/observe/duration_counts.cpp>
#include <serin/src/observe/event.cpp>
#include <serin/src/observe/event_log.cpp>
#include <serin/src/observe/log_line.cpp>
#include <serin/src/observe/metric_family.cpp>
#include <serin/src/observe/metric_report.cpp>
#include <serin/src/observe/metric_series.cpp>
#include <serin/src/observe/metrics.cpp>
#include <serin/src/observe/observer.cpp>
#include <serin/src/observe/stderr_logger.cpp>
#include <serin/src/observe/webhook.cpp>
#include <serin/src/observe/webhook_target.cpp>

#include <serin/src/client/cached_call.cpp>
#include <serin/src/client/cached_stream.cpp>
#include <serin/src/client/call.cpp>
#include <serin/src/client/call_fsm.cpp>
#include <serin/src/client/call_watch.cpp>
#include <serin/src/client/client.cpp>
#include <serin/src/client/client_impl.cpp>
#include <serin/src/client/config.cpp>
#include <serin/src/client/config_alerts.cpp>
#include <serin/src/client/config_file.cpp>
#include <serin/src/client/config_object.cpp>
#include <serin/src/client/config_routes.cpp>
#include <serin/src/client/config_upstreams.cpp>
#include <serin/src/client/config_watch.cpp>
#include <serin/src/client/endpoints.cpp>
#include <serin/src/client/mirror_call.cpp>
#include <serin/src/client/relay.cpp>
#include <serin/src/client/request_attempt.cpp>
#include <serin/src/client/response_cache.cpp>
#include <serin/src/client/routing.cpp>
#include <serin/src/client/shared_fetch.cpp>
#include <serin/src/client/stream_attempt.cpp>
#include <serin/src/client/stream_call.cpp>
#include <serin/src/client/tools.cpp>

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

#endif
