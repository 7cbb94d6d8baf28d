// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_MOCK_PROVIDER_HPP
#define SERIN_MOCK_PROVIDER_HPP

#include <serin/core/headers.hpp>
#include <serin/mock/script.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace serin::mock {

/// How a provider listens.
class provider_params
{
public:
    std::string host = "127.0.0.1"; ///< IP address to listen on.
    unsigned short port = 0;        ///< 0: any free port.

    bool tls = false;                        ///< Serve https, with a certificate made for this provider alone.
    bool require_client_certificate = false; ///< Only clients with a certificate of our CA are served.
    std::string certificate_host;            ///< Host name in the certificate; empty: localhost, 127.0.0.1 and ::1.
    bool expired_certificate = false;        ///< The certificate has expired.

    bool echo_key = false;                     ///< The answer to a wrong key quotes it, as some servers do.
    std::size_t body_limit = 64 * 1024 * 1024; ///< Bytes of a request's body; beyond it the answer is 413.
    std::size_t receive_buffer = 0;   ///< SO_RCVBUF of connections, for tests of stalled writes; 0: the system's.
    std::size_t log_capacity = 65536; ///< Requests kept in the log; older ones are dropped.

    provider_params() {}
};

/// A request to be answered, as seen by the function of `provider::set_function`.
class request_view
{
public:
    std::uint64_t connection = 0;  ///< Connections count from 1.
    std::uint64_t number = 0;      ///< The requests of a connection count from 1.
    std::string_view method;       ///< Upper case.
    std::string_view target;       ///< The path, with its query.
    serin::headers const& headers; ///< Header fields.
    std::string_view body;         ///< The whole body.
    std::string_view model;        ///< The model asked for.
    bool stream = false;           ///< A stream was asked for.

    /// With these header fields.
    explicit request_view(serin::headers const& h) : headers(h) {}
};

/// A request in the log.
class request_record
{
public:
    std::uint64_t connection = 0;                                  ///< Connections count from 1.
    std::uint64_t number = 0;                                      ///< The requests of a connection count from 1.
    std::string method;                                            ///< Upper case.
    std::string target;                                            ///< The path, with its query.
    serin::headers headers;                                        ///< Header fields.
    std::string body;                                              ///< As far as it was read.
    std::string model;                                             ///< The model asked for.
    std::chrono::steady_clock::time_point received;                ///< When the head was complete.
    std::optional<std::chrono::steady_clock::time_point> answered; ///< When the answer had ended; unset: not yet.
    int status = 0;                   ///< The status sent; 0: none yet, none at all, or raw bytes.
    std::size_t tokens_sent = 0;      ///< Tokens of a stream that were handed to the socket.
    bool client_closed_early = false; ///< The client closed the connection before the answer had ended.
    bool tls_resumed = false;         ///< The connection resumed a TLS session.
    std::string client_certificate;   ///< Common name in the client's certificate.

    request_record() {}
};

/// An OpenAI-compatible server for tests, in this process: real sockets, answers and failures as scripted.
///
/// Serves `POST /v1/chat/completions`, whole and streamed, `POST /v1/embeddings`, `POST /v1/moderations` and
/// `GET /v1/models`. Every answer has an x-request-id "req_mock_N". Runs one thread of its own until it is destroyed.
/// All functions may be called from any thread.
///
/// A text's embedding is always the same: a vector of length 1 that is drawn with the text as seed, with the
/// `dimensions` asked for or 8, as floats or in base64. A moderation flags a text for each category whose name it
/// holds: harassment, hate, self-harm, sexual and violence. What a @ref behavior says about tokens, text and streams
/// does not matter to these two; a fault in the middle of an answer happens in the middle of its bytes.
///
/// A request is answered by the first of: the queue of @ref on_next; the function of @ref set_function; a fault drawn
/// from the mix of @ref set_faults; the behavior of its model (@ref on_model); that of a built-in model; the default.
/// These models are built in:
///
/// | model | answer |
/// |---|---|
/// | mock-401, mock-429, mock-500 | that status; 429 with `Retry-After: 1` |
/// | mock-slow | 2 s to the first token, then 500 ms between tokens |
/// | mock-cut | the connection closes after 3 tokens |
/// | mock-stall | nothing more after 3 tokens |
/// | mock-malformed | a chunk after 3 tokens is not JSON |
/// | mock-no-done | no `[DONE]` |
/// | mock-done-open | `[DONE]`, but the answer does not end |
/// | mock-error-in-stream | an error event after 3 tokens |
/// | mock-tools | a tool call, get_weather |
/// | mock-reasoning | 4 tokens of reasoning before the text |
///
/// Every other name, "mock" for one, gets the default: 8 tokens.
class provider
{
    class impl;
    std::unique_ptr<impl> impl_;

public:
    /// Listens from now on. Throws boost::system::system_error if that is not possible.
    explicit provider(provider_params params = provider_params());

    provider(provider const&) = delete;
    provider& operator=(provider const&) = delete;

    /// Closes every connection at once and ends the thread.
    ~provider();

    // --- Where ---

    /// The port that it listens on.
    unsigned short port() const noexcept;

    /// For clients, for example "http://127.0.0.1:40123/v1".
    std::string base_url() const;

    /// The certificate that clients must trust, PEM; empty without TLS.
    std::string ca_pem() const;

    /// A certificate and its key, PEM, that a client may show; common name "mock-client". Empty without TLS.
    std::string client_certificate_pem() const;
    std::string client_key_pem() const; ///< @copydoc client_certificate_pem

    // --- How it answers ---

    /// Answers one more of the next requests so. Queued behaviors are used in order, one for each POST request with a
    /// valid key.
    void on_next(behavior b);

    /// Answers requests for this model so.
    void on_model(std::string model, behavior b);

    /// Answers all other requests so.
    void set_default(behavior b);

    /// Asks this function for every request that the queue does not answer; an empty one: none. Called in the thread
    /// of the provider. If it throws, the answer is 500 and its text.
    void set_function(std::function<behavior(request_view const&)> function);

    /// Draws a fault, or none, for every request, from a generator with this seed.
    void set_faults(std::vector<fault_share> faults, std::uint64_t seed = 1);

    /// The keys that are accepted; none: every request is. Offered as `Authorization: Bearer` or `api-key`.
    void set_keys(std::vector<std::string> keys);

    /// Does all that a script says: replaces keys, default, models and faults that it mentions, adds to the queue.
    void apply(script const& s);

    /// Closes the connections that wait for a request, now.
    void close_idle();

    // --- What happened ---

    /// The requests so far, in the order in which their heads were complete.
    std::vector<request_record> requests() const;

    /// The number of requests so far, also of those that the log has dropped.
    std::size_t request_count() const;

    std::size_t connections_accepted() const; ///< Since the start.
    std::size_t connections_open() const;     ///< Now.
    std::size_t max_connections_open() const; ///< At most at any time.

    /// Waits until the predicate is true: it is asked now and after every change of the log and the connections.
    /// False if that takes longer than the timeout. The predicate may call this object's functions.
    bool wait_until(
        std::function<bool()> predicate, std::chrono::milliseconds timeout = std::chrono::seconds(10)) const;
};

} // namespace serin::mock

#endif
