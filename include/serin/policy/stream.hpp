// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_POLICY_STREAM_HPP
#define SERIN_POLICY_STREAM_HPP

namespace serin {

/// What becomes of a stream that breaks after its first token. Before that it is tried again like any request. A broken
/// stream is never a success.
enum class stream_recovery
{
    fail,    ///< It ends with its error; what had arrived is in `diagnostics::partial`.
    restart, ///< It is begun anew. The first delta of the new answer has @ref chat_delta::restarted set: what came
             ///< before is void.
    buffer,  ///< Nothing is handed out before the answer is complete, so that a broken one can be tried again unseen.
};

/// How streams are read.
struct stream_params
{
    /// What becomes of a stream that breaks after its first token.
    stream_recovery recovery = stream_recovery::fail;

    /// Passes over events that are not chunks, instead of ending the stream with errc::stream_error.
    bool skip_malformed_chunks = false;
};

} // namespace serin

#endif
