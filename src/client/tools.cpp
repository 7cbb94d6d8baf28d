// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/tools.hpp>

#include "../core/completion.hpp"
#include "../http/pool.hpp"
#include "client_impl.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <cstddef>
#include <deque>
#include <set>
#include <utility>

namespace serin {
namespace {

// Waits for a call of the client, which `handler()` is given to.
template <class T>
class round_wait final : public suspension
{
    struct completion_handler
    {
        fiber_ref owner;
        round_wait* wait;

        using executor_type = fiber::executor_type;
        executor_type const& get_executor() const noexcept { return owner.get_executor(); }

        using cancellation_slot_type = asio::cancellation_slot;
        cancellation_slot_type get_cancellation_slot() const noexcept { return wait->stop_.slot(); }

        void operator()(error_code error, T result)
        {
            auto const f = owner.take();
            wait->ec = error;
            wait->value = std::move(result);
            wait->done_ = true;
            if (f->waits_for(*wait))
                f->resume();
        }
    };

    fiber& fiber_;
    asio::cancellation_signal stop_;
    bool done_ = false;

public:
    error_code ec;
    T value;

    explicit round_wait(fiber& f) : fiber_(f) {}

    completion_handler handler() { return completion_handler{fiber_ref(fiber_), this}; }

    bool await_ready() const noexcept { return done_; }
    void await_suspend(std::coroutine_handle<> h) noexcept { fiber_.suspend(h, *this); }
    void await_resume() const noexcept {}
    void cancel() noexcept override { stop_.emit(asio::cancellation_type::all); }
};

// Lets others have their turn, those that want to interrupt the fiber above all.
class turn_wait final : public suspension
{
    fiber& fiber_;

public:
    explicit turn_wait(fiber& f) noexcept : fiber_(f) {}

    bool await_ready() const noexcept { return false; }

    void await_suspend(std::coroutine_handle<> h)
    {
        fiber_.suspend(h, *this);
        asio::post(fiber_.get_executor(), [owner = fiber_ref(fiber_)]() mutable { owner.take()->resume(); });
    }

    void await_resume() const noexcept {}
    void cancel() noexcept override {} // It is over at once anyway
};

// What the model is told of an exception. `reported`: it is more than bad arguments.
std::string text_of_exception(std::exception_ptr const& error, bool& reported)
{
    reported = true;
    try
    {
        std::rethrow_exception(error);
    }
    catch (bad_tool_arguments const& e)
    {
        reported = false;
        return std::string("Invalid arguments: ") + e.what();
    }
    catch (std::exception const& e)
    {
        return std::string("Error: ") + e.what();
    }
    catch (...)
    {
        return "Error: the tool failed";
    }
}

// Whoever must call a tool calls it once: then the model is free to answer.
void relax(std::optional<tool_choice>& choice)
{
    if (!choice)
        return;
    if (choice->mode == "required" || choice->mode == "function" || choice->mode == "custom")
        choice = tool_choice::automatic();
    else if (choice->mode == "allowed_tools")
        choice->allowed_mode = "auto";
}

} // namespace

// A run: one fiber, so that it ends with its client, and its rounds, and the tools of a round.
class tool_loop final : public fiber
{
public:
    tool_loop(std::shared_ptr<client_impl> client, chat_request request, tool_set tools, tool_options options,
        diagnostics* diag, any_handler<tool_run> handler)
        : fiber(make_fiber_executor(client->executor, client->params.thread_safe), client->group),
          client_(std::move(client)),
          request_(std::move(request)),
          tools_(std::move(tools)),
          options_(std::move(options)),
          diag_(diag),
          handler_(std::move(handler), client_->completion_executor)
    {}

    ~tool_loop() override { destroy_coroutine(); }

    static void launch(std::shared_ptr<tool_loop> const& self)
    {
        self->handler_.connect_slot(self);
        self->start(self->run());
    }

private:
    // A call that the model asks for.
    struct job
    {
        tool_call const& call;
        std::string arguments;
        std::string result;
        bool running = false;
        asio::cancellation_signal stop; // Outlives the coroutine: co_spawn of Boost 1.81 keeps a bare pointer to it

        explicit job(tool_call const& c) : call(c) {}
    };

    // Takes what an asynchronous tool came to.
    struct job_handler
    {
        fiber_ref owner;
        job* which;

        using executor_type = fiber::executor_type;
        executor_type const& get_executor() const noexcept { return owner.get_executor(); }

        using cancellation_slot_type = asio::cancellation_slot;
        cancellation_slot_type get_cancellation_slot() const noexcept { return which->stop.slot(); }

        void operator()(std::exception_ptr error, std::string result)
        {
            auto const self = std::static_pointer_cast<tool_loop>(owner.take());
            self->job_ended(*which, error, std::move(result));
        }
    };

    // Waits for all that run.
    class jobs_wait final : public suspension
    {
        tool_loop& loop_;

    public:
        explicit jobs_wait(tool_loop& l) noexcept : loop_(l) {}

        bool await_ready() const noexcept { return loop_.running_ == 0; }

        void await_suspend(std::coroutine_handle<> h) noexcept
        {
            loop_.suspend(h, *this);
            loop_.waits_for_jobs_ = true;
        }

        void await_resume() const noexcept {}
        void cancel() noexcept override { loop_.cancel_jobs(); }
    };

    task<void> run();
    task<error_code> ask();
    task<error_code> ask_stream();
    task<void> call_tools();
    task<void> wait_for_jobs();
    void add_tools();
    void name_calls(std::vector<tool_call>& calls);
    void start_job(job& j);
    void job_ended(job& j, std::exception_ptr const& error, std::string result);
    void job_done(job& j, std::string result);
    void cancel_jobs();
    void resume_if_jobs_ended();
    std::string unknown_tool(tool_call const& call) const;
    bool is_json(std::string_view text);
    void fail(errc why, std::string message);
    void tell_error(std::string_view where, std::exception_ptr error) noexcept;
    void abandoned() noexcept override;
    void on_finished(std::exception_ptr error) override;

    // Calls a function of the user's.
    template <class... Parameters, class... Args>
    void tell(char const* name, std::function<void(Parameters...)> const& callback, Args const&... args) noexcept
    {
        if (!callback)
            return;
        try
        {
            callback(args...);
        }
        catch (...)
        {
            tell_error(name, std::current_exception());
        }
    }

    std::shared_ptr<client_impl> const client_;
    chat_request request_; // With the conversation so far.
    tool_set const tools_;
    tool_options const options_;
    diagnostics* const diag_;
    completion<tool_run> handler_;

    std::deque<job> jobs_;
    std::size_t running_ = 0; // of the jobs
    bool waits_for_jobs_ = false;
    bool abandoned_ = false;

    std::set<std::string> ids_; // of all calls so far
    std::size_t last_id_ = 0;

    diagnostics round_diag_;
    tool_run result_;
    error_code ec_;
};

task<void> tool_loop::run()
{
    set_total_deadline(deadline_after(options_.timeout));
    add_tools();
    for (;;)
    {
        if (interrupted())
        {
            ec_ = interrupted();
            co_return;
        }
        ++result_.rounds;
        ec_ = co_await ask();
        if (ec_)
            co_return;

        if (!result_.response.first())
        {
            tell("on_response", options_.on_response, result_.response);
            co_return;
        }
        message& reply = result_.response.choices.front().message;
        std::string const& reason = result_.response.finish_reason();
        name_calls(reply.tool_calls);
        tell("on_response", options_.on_response, result_.response);
        if (reply.tool_calls.empty())
        {
            request_.messages.push_back(reply);
            co_return;
        }
        if (reason == "length" || reason == "content_filter")
        {
            fail(reason == "length" ? errc::length_limited : errc::content_filtered,
                "the answer was cut off among its tool calls");
            co_return;
        }

        co_await call_tools();
        if (interrupted())
        {
            ec_ = interrupted();
            co_return;
        }
        // Only now: a call without its answer cannot be sent.
        request_.messages.push_back(reply);
        for (job& j : jobs_)
            request_.messages.push_back(message::tool_result(j.call, std::move(j.result)));
        jobs_.clear();
        if (result_.rounds >= options_.max_rounds)
        {
            fail(errc::too_many_rounds,
                "the model still called tools in round " + std::to_string(result_.rounds) + ", the last one allowed");
            co_return;
        }
        relax(request_.tool_choice);
    }
}

// Adds the tools that the request does not have already, and learns which ids are taken.
void tool_loop::add_tools()
{
    for (tool& t : tools_.definitions())
    {
        bool const is_there = std::any_of(
            request_.tools.begin(), request_.tools.end(), [&t](tool const& other) { return other.name == t.name; });
        if (!is_there)
            request_.tools.push_back(std::move(t));
    }
    for (message const& m : request_.messages)
        for (tool_call const& call : m.tool_calls)
            ids_.insert(call.id);
}

// Asks for one answer, whole.
task<error_code> tool_loop::ask()
{
    round_diag_ = diagnostics();
    if (options_.stream)
    {
        error_code const ec = co_await ask_stream();
        co_return ec&& interrupted() ? interrupted() : ec;
    }
    round_wait<chat_response> answer(*this);
    client_access::chat(client_, request_, &round_diag_, answer.handler());
    co_await answer;
    result_.response = std::move(answer.value);
    co_return answer.ec&& interrupted() ? interrupted() : answer.ec;
}

// Asks for one answer as a stream, and reads it to its end.
task<error_code> tool_loop::ask_stream()
{
    round_wait<chat_stream> opening(*this);
    client_access::stream(client_, request_, &round_diag_, opening.handler());
    co_await opening;
    if (opening.ec)
        co_return opening.ec;
    chat_stream stream = std::move(opening.value);
    for (;;)
    {
        round_wait<std::optional<chat_delta>> next(*this);
        if (!interrupted())
        {
            stream.async_next(round_diag_, next.handler());
            co_await next;
        }
        else
        {
            next.ec = interrupted();
        }
        if (next.ec || !next.value)
        {
            result_.response = stream.response();
            co_return next.ec;
        }
        tell("on_delta", options_.on_delta, *next.value);
    }
}

// Some servers send no id, or one that was there before; then answers would not find their calls.
void tool_loop::name_calls(std::vector<tool_call>& calls)
{
    for (tool_call& call : calls)
    {
        if (!call.id.empty() && ids_.insert(call.id).second)
            continue;
        do
            call.id = "call_" + std::to_string(++last_id_);
        while (!ids_.insert(call.id).second);
    }
}

// ---------------------------------------------------------------------------------------------------------

task<void> tool_loop::call_tools()
{
    bool const one_by_one = request_.parallel_tool_calls && !*request_.parallel_tool_calls;
    for (tool_call const& call : result_.response.tool_calls())
        jobs_.emplace_back(call);
    for (job& j : jobs_)
    {
        turn_wait turn(*this);
        co_await turn;
        if (interrupted())
            break;
        start_job(j);
        if (one_by_one)
            co_await wait_for_jobs();
    }
    co_await wait_for_jobs();
}

task<void> tool_loop::wait_for_jobs()
{
    if (interrupted())
        cancel_jobs();
    jobs_wait wait(*this);
    co_await wait;
}

void tool_loop::start_job(job& j)
{
    auto const& entries = tools_.entries_;
    auto const found = std::find_if(
        entries.begin(), entries.end(), [&j](tool_set::entry const& e) { return e.definition.name == j.call.name; });
    if (found == entries.end())
    {
        job_done(j, unknown_tool(j.call));
        return;
    }
    j.arguments = j.call.arguments;
    if (found->definition.type != "custom")
    {
        if (j.arguments.empty())
            j.arguments = "{}"; // What many models write for a function without parameters
        if (!is_json(j.arguments))
        {
            job_done(j, "Invalid arguments: not valid JSON");
            return;
        }
    }
    try
    {
        if (!found->start)
        {
            job_done(j, found->run(j.arguments));
            return;
        }
        asio::awaitable<std::string> work = found->start(j.arguments);
        j.running = true;
        ++running_;
        asio::co_spawn(get_executor(), std::move(work), job_handler{fiber_ref(*this), &j});
    }
    catch (...)
    {
        if (std::exchange(j.running, false))
            --running_;
        job_ended(j, std::current_exception(), {});
    }
}

// A tool has returned or thrown.
void tool_loop::job_ended(job& j, std::exception_ptr const& error, std::string result)
{
    if (abandoned_)
        return;
    bool const was_running = std::exchange(j.running, false);
    if (!error)
    {
        job_done(j, std::move(result));
    }
    else if (!interrupted()) // Else it says that it was cancelled, and to nobody
    {
        bool reported = false;
        std::string text = text_of_exception(error, reported);
        if (reported)
            tell_error(j.call.name, error);
        job_done(j, std::move(text));
    }
    if (was_running)
    {
        --running_;
        resume_if_jobs_ended();
    }
}

void tool_loop::job_done(job& j, std::string result)
{
    j.result = std::move(result);
    tell("on_result", options_.on_result, j.call, std::string_view(j.result));
}

void tool_loop::cancel_jobs()
{
    ++running_; // They may end meanwhile, but the fiber must not
    for (job& j : jobs_)
        if (j.running)
            j.stop.emit(asio::cancellation_type::all);
    --running_;
    resume_if_jobs_ended();
}

void tool_loop::resume_if_jobs_ended()
{
    if (running_ == 0 && std::exchange(waits_for_jobs_, false))
        resume();
}

std::string tool_loop::unknown_tool(tool_call const& call) const
{
    std::string text = "Invalid tool_call: there is no tool \"" + call.name + "\". Available options are:";
    char const* comma = " ";
    for (tool_set::entry const& e : tools_.entries_)
    {
        text += comma + ('"' + e.definition.name + '"');
        comma = ", ";
    }
    return tools_.empty() ? text + " none" : text;
}

bool tool_loop::is_json(std::string_view text)
{
    json_value root;
    auto reader = client_->take_reader();
    bool const ok = reader->parse(text, root);
    client_->put_reader(std::move(reader));
    return ok;
}

// ---------------------------------------------------------------------------------------------------------

void tool_loop::fail(errc why, std::string message)
{
    ec_ = why;
    round_diag_.message = std::move(message);
    round_diag_.partial = std::make_shared<chat_response const>(result_.response);
}

void tool_loop::tell_error(std::string_view where, std::exception_ptr error) noexcept
{
    try
    {
        if (options_.on_error)
            options_.on_error(where, std::move(error));
    }
    catch (...)
    {
        // There is nobody left to tell.
    }
}

void tool_loop::abandoned() noexcept
{
    abandoned_ = true;
    destroy_coroutine();
    auto const handler = std::exchange(handler_, completion<tool_run>()); // It may own what owns this
}

void tool_loop::on_finished(std::exception_ptr error)
{
    if (error)
        ec_ = make_error_code(boost::system::errc::not_enough_memory); // Nothing else throws below
    if (diag_)
    {
        if (ec_ && round_diag_.message.empty())
            round_diag_.message = ec_.message();
        *diag_ = std::move(round_diag_);
    }
    result_.messages = std::move(request_.messages);
    handler_(*this, ec_, std::move(result_));
}

void initiate_run_tools::erased(std::shared_ptr<client_impl> impl, chat_request request, tool_set tools,
    tool_options options, diagnostics* diag, any_handler<tool_run> handler)
{
    tool_loop::launch(std::make_shared<tool_loop>(
        std::move(impl), std::move(request), std::move(tools), std::move(options), diag, std::move(handler)));
}

} // namespace serin
