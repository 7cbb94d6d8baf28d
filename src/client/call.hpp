// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CLIENT_CALL_HPP
#define SERIN_SRC_CLIENT_CALL_HPP

#include "../core/completion.hpp"
#include "call_fsm.hpp"
#include "call_watch.hpp"
#include "client_impl.hpp"
#include "request_attempt.hpp"

#include <serin/core/diagnostics.hpp>

#include <memory>
#include <optional>
#include <vector>

namespace serin {

// What whole and streamed calls share: the attempt loop. What happens after a failure is decided by call_fsm; this
// carries it out.
class call : public fiber
{
public:
    call(std::shared_ptr<client_impl> client, diagnostics* diag);
    call(std::shared_ptr<client_impl> client, std::shared_ptr<routing const> config, diagnostics* diag);
    ~call() override;

protected:
    // The call begins: chooses its route and sets its deadline.
    void begin(call_request request);

    // The same with the route given, one of config(). `copy`: of a call that is mirrored.
    void begin(call_request request, route const& through, bool copy = false);

    // What the call began with.
    routing const& config() const noexcept { return *config_; }

    // Tries until there is an answer, which last() holds then, or nothing more is to be tried: the last attempt's
    // error.
    task<error_code> answer();

    // One attempt and no more.
    task<error_code> answer_once();

    // The same as answer() after the answer in last() has broken with `why`, if it may be begun anew. `broken` is then
    // that answer, and last() a newer one.
    task<error_code> answer_again(error_code why, std::unique_ptr<request_attempt>& broken);

    // Makes what one try consists of.
    virtual std::unique_ptr<request_attempt> make_attempt(attempt_start start) = 0;

    // Of the last attempt that ended, or the one whose answer is being read. Null before the first one.
    request_attempt* last() const noexcept { return last_.get(); }
    std::unique_ptr<request_attempt> take_last() noexcept { return std::move(last_); }

    // The answer in last() has come to its end.
    void answer_ended(error_code ec);

    // Nothing more will be tried, for this reason.
    void stop_trying(give_up why) noexcept { gave_up_ = why; }

    // Whether the user wants diagnostics of a success too.
    bool reports_success() const noexcept { return diag_ && !diag_->for_failures_only(); }

    // The call has ended: tells whoever watches. The first call counts.
    void tell_end(error_code ec)
    {
        if (watch_)
            watch_->end(ec, gave_up_, last_.get());
    }

    // Fills the user's diagnostics, if there are any, with the outcome of the call.
    void report(error_code ec, chat_response const* partial);

    std::shared_ptr<client_impl> const client_;
    call_request request_;
    std::vector<key_pointer> refused_keys_; // By servers, during this call
    diagnostics* diag_;
    std::string detail_; // What is known of a failure before the first attempt.

private:
    class racer;
    class race_wait;

    call_fsm::step start_route();
    bool fall_back(error_code ec);
    error_code check_budgets();
    void tell_goes_on(error_code ec, call_fsm::step const& next);
    task<error_code> try_everybody(call_fsm::step next);
    task<error_code> try_until_done(call_fsm::step next);
    task<error_code> race(duration head_start);
    void start_racer(std::unique_ptr<request_attempt> runs);
    void racer_ended(std::size_t race, std::unique_ptr<request_attempt> ran, error_code ec);
    void stop_racers();
    std::unique_ptr<request_attempt> next_attempt(std::size_t member, duration waited, bool hedge = false);
    void note_end(request_attempt const& ended, error_code ec);
    void note_losers(std::size_t first_place, std::size_t winner);
    task<bool> look_for_key(call_failure& failed, key_fate fate);
    call_fsm::step decide(request_attempt const& failed, call_failure failure);

    std::shared_ptr<routing const> const config_;
    route const* asked_for_ = nullptr; // The route of the model that the caller named, whose fallbacks count
    route const* route_ = nullptr;     // The one whose turn it is
    std::vector<route const*> routes_tried_;
    std::optional<call_fsm> fsm_;
    std::optional<call_watch> watch_; // None: nobody wants to know
    std::unique_ptr<request_attempt> last_;
    std::vector<attempt> attempts_;
    steady_time deadline_ = steady_time::max(); // On the client's clock
    give_up gave_up_ = give_up::none;
    int reloads_ = 0; // Of keys, that brought a new one or not

    // Of a race between a slow attempt and its hedge.
    struct finish
    {
        std::unique_ptr<request_attempt> attempt;
        error_code ec;
    };
    std::size_t race_number_ = 0;
    std::vector<std::weak_ptr<racer>> racers_;
    std::vector<finish> finished_;
    race_wait* waits_for_race_ = nullptr;
};

} // namespace serin

#endif
