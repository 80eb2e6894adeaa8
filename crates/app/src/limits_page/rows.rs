//! The limits, with what each of them is for.

use pymcp_kit::limits::{BudgetLimits, ConcurrencyLimits, FloodLimits, Limit};
use pymcp_kit::session::{SessionLimits, StreamLimits};
use pymcp_kit::tasks::TaskLimits;
use pymcp_kit::transport::http::HttpConfig;
use pymcp_kit::wire::WireLimits;
use pymcp_kit::{CacheConfig, CallLimits};

use super::{Bytes, PerSecond, Section};

/// All limits, in the order of the page.
pub(super) fn sections() -> Vec<Section> {
    vec![
        flood(),
        budget(),
        concurrency(),
        calls(),
        connections(),
        sessions(),
        streams(),
        tasks(),
        cache(),
        messages(),
        fixed(),
    ]
}

fn flood() -> Section {
    let FloodLimits {
        per_address,
        per_principal,
        sessions,
    } = FloodLimits::default();
    Section::new("How often requests come over HTTP: `HttpConfig::flood`")
        .add(
            "per_address",
            per_address,
            "One address keeps the server busy with reading.",
        )
        .setting("address-rate")
        .metric(Limit::AddressRate)
        .add(
            "per_principal",
            per_principal,
            "One principal does so from many addresses.",
        )
        .setting("principal-rate")
        .metric(Limit::PrincipalRate)
        .add(
            "sessions",
            sessions,
            "Opening sessions is dear, and one client slows down all others.",
        )
        .setting("session-rate")
        .metric(Limit::SessionRate)
}

fn budget() -> Section {
    let BudgetLimits {
        per_principal,
        tools: _,
        principals,
    } = BudgetLimits::default();
    Section::new("What calls cost: `CallLimits::budget`")
        .add(
            "per_principal",
            per_principal,
            "One principal uses up what the server pays for.",
        )
        .setting("budget")
        .metric(Limit::Budget)
        .add("tools", "none", "One tool is dearer than all others.")
        .setting("tool-budget")
        .metric(Limit::ToolBudget)
        .add(
            "principals",
            principals,
            "The budgets themselves fill the memory.",
        )
}

fn concurrency() -> Section {
    let ConcurrencyLimits {
        in_all,
        per_principal,
        waiting,
        waiting_per_caller,
    } = ConcurrencyLimits::default();
    Section::new("How many calls run at a time: `CallLimits::concurrency`")
        .add(
            "in_all",
            in_all,
            "Handlers that compute hold up all else, refusals too.",
        )
        .setting("total-concurrency")
        .metric(Limit::Concurrency)
        .add(
            "per_principal",
            per_principal,
            "One principal's calls hold up those of others.",
        )
        .setting("concurrency")
        .metric(Limit::Concurrency)
        .add(
            "waiting",
            waiting,
            "A call that waits past its timeout is carried out for nobody.",
        )
        .metric(Limit::Concurrency)
        .add(
            "waiting_per_caller",
            waiting_per_caller,
            "One caller fills the line.",
        )
        .metric(Limit::Concurrency)
}

fn calls() -> Section {
    let CallLimits {
        timeout,
        ask_timeout,
        ask_unread,
        questions_per_session,
        questions_per_caller,
        questions,
        ask_rounds,
        ask_state_bytes,
        subscriptions_per_caller,
        subscriptions,
        subscription_turn,
        in_flight_per_connection,
        in_flight_per_caller,
        in_flight,
        blocking,
        blocking_per_caller,
        result_bytes,
        heartbeat,
        budget: _,
        concurrency: _,
    } = CallLimits::default();
    Section::new("Calls: `CallLimits`")
        .add(
            "timeout",
            timeout,
            "A handler that hangs keeps its client waiting.",
        )
        .setting("request-timeout")
        .add(
            "ask_timeout",
            ask_timeout,
            "A user who went home keeps a call for ever.",
        )
        .setting("ask-timeout")
        .add(
            "ask_unread",
            ask_unread,
            "A question that nobody can hear keeps a call.",
        )
        .add(
            "questions_per_session",
            questions_per_session,
            "One session keeps many calls waiting.",
        )
        .add(
            "questions_per_caller",
            questions_per_caller,
            "One caller does.",
        )
        .add("questions", questions, "All callers together do.")
        .add("ask_rounds", ask_rounds, "A handler asks in circles.")
        .add(
            "ask_state_bytes",
            Bytes(ask_state_bytes),
            "The state of a call grows from round to round.",
        )
        .add(
            "subscriptions_per_caller",
            subscriptions_per_caller,
            "One caller takes all subscriptions.",
        )
        .add(
            "subscriptions",
            subscriptions,
            "Subscriptions last for hours, and fill the memory.",
        )
        .add(
            "subscription_turn",
            subscription_turn,
            "Newcomers end subscriptions that have just begun.",
        )
        .add(
            "in_flight_per_connection",
            in_flight_per_connection,
            "One session takes all places.",
        )
        .add(
            "in_flight_per_caller",
            in_flight_per_caller,
            "One caller takes all places.",
        )
        .add(
            "in_flight",
            in_flight,
            "What is worked on fills the memory.",
        )
        .add("blocking", blocking, "Threads use up the machine.")
        .add(
            "blocking_per_caller",
            blocking_per_caller,
            "One caller takes all threads.",
        )
        .add(
            "result_bytes",
            Bytes(result_bytes),
            "A result fills the memory of server and client.",
        )
        .add(
            "heartbeat",
            heartbeat,
            "A client that hears nothing gives up.",
        )
}

fn connections() -> Section {
    let HttpConfig {
        endpoints: _,
        path_prefix: _,
        routes: _,
        route_timeout,
        hosts: _,
        origins: _,
        auth: _,
        readiness: _,
        tls: _,
        trusted_proxies: _,
        drain_delay,
        header_timeout,
        body_timeout,
        body_rate,
        body_window,
        write_timeout,
        connections,
        connections_per_address,
        flood: _,
        sessions: _,
        keep_alive,
        stream_after,
        retry,
        drain,
    } = HttpConfig::default();
    Section::new("Connections: `HttpConfig`")
        .add("connections", connections, "Connections use up memory and descriptors; a request over HTTP/2 counts as one more.")
        .add("connections_per_address", connections_per_address, "One address takes all connections; one of this machine may be a proxy, and has no such limit.")
        .add("header_timeout", header_timeout, "Heads that never end hold connections.")
        .add("body_timeout", body_timeout, "Bodies that never end do.")
        .add("body_rate", PerSecond(body_rate), "Bodies that trickle do.")
        .add("body_window", body_window, "A short pause of an honest client counts as trickling.")
        .add("write_timeout", write_timeout, "Answers that nobody reads do.")
        .add("route_timeout", route_timeout, "A route of the author's own hangs.")
        .add("keep_alive", keep_alive, "Proxies end a stream that is silent.")
        .add("stream_after", stream_after, "A client gives up a silent call that it could resume.")
        .add("retry", retry, "Clients whose stream ended all come back at once.")
        .add("drain", drain, "A shutdown waits for a call that hangs.")
        .setting("drain")
        .add("drain_delay", drain_delay, "Whoever balances the load sends requests to a server that is leaving.")
        .setting("drain-delay")
}

fn sessions() -> Section {
    let SessionLimits {
        max,
        per_caller,
        unused,
        idle,
        remembered,
        lifetime,
        ended,
        streams: _,
    } = SessionLimits::default();
    Section::new("Legacy sessions: `HttpConfig::sessions`")
        .add("max", max, "Sessions fill the memory.")
        .add(
            "per_caller",
            per_caller,
            "One caller pushes out the sessions of others.",
        )
        .add("unused", unused, "Sessions that nobody uses stay.")
        .add("idle", idle, "Sessions that nobody uses any more stay.")
        .add(
            "remembered",
            remembered,
            "Sessions that idle fill the memory; those that are forgotten come back by their id.",
        )
        .add(
            "lifetime",
            lifetime,
            "An id that somebody has kept is good for ever.",
        )
        .add(
            "ended",
            ended,
            "Ids of sessions that were ended fill the memory.",
        )
}

fn streams() -> Section {
    let StreamLimits {
        per_session,
        per_caller,
        in_all,
        events,
        bytes,
        keep,
    } = StreamLimits::default();
    Section::new("Streams that can be resumed: `SessionLimits::streams`")
        .add(
            "per_session",
            per_session,
            "One session keeps many responses.",
        )
        .add("per_caller", per_caller, "One caller does.")
        .add("in_all", in_all, "All callers together do.")
        .add(
            "events",
            events,
            "A call that talks much fills the memory while nobody reads.",
        )
        .add("bytes", Bytes(bytes), "A call that talks long does.")
        .add("keep", keep, "Responses stay that nobody comes back for.")
}

fn tasks() -> Section {
    let TaskLimits {
        tasks,
        tasks_per_caller,
        bytes,
        bytes_per_caller,
        ttl,
        max_ttl,
        poll_interval,
    } = TaskLimits::default();
    Section::new("Tasks: `ServerBuilder::task_limits`")
        .add(
            "tasks",
            tasks,
            "Tasks fill the memory and keep the server busy.",
        )
        .add(
            "tasks_per_caller",
            tasks_per_caller,
            "One caller takes all tasks.",
        )
        .add(
            "bytes",
            Bytes(bytes),
            "Results that nobody has looked at fill the memory.",
        )
        .add(
            "bytes_per_caller",
            Bytes(bytes_per_caller),
            "Those of one caller do.",
        )
        .add("ttl", ttl, "Tasks stay that nobody asks for.")
        .add("max_ttl", max_ttl, "A tool keeps its tasks for days.")
        .add("poll_interval", poll_interval, "Clients look all the time.")
}

fn cache() -> Section {
    let CacheConfig {
        ttl,
        total_bytes,
        entries,
        entry_bytes,
    } = CacheConfig::default();
    let total_bytes = usize::try_from(total_bytes).unwrap_or(usize::MAX);
    Section::new("Response cache: `ServerBuilder::cache`")
        .add("ttl", ttl, "Answers are repeated that are no longer right.")
        .setting("response-cache-ttl")
        .add(
            "total_bytes",
            Bytes(total_bytes),
            "Answers fill the memory.",
        )
        .add("entries", entries, "The index of small answers does.")
        .add(
            "entry_bytes",
            Bytes(entry_bytes),
            "One large answer pushes out many.",
        )
}

fn messages() -> Section {
    let WireLimits {
        message_bytes,
        depth,
        nodes,
        batch,
        id_bytes,
        method_bytes,
    } = WireLimits::default();
    Section::new("Messages: `ServerBuilder::wire_limits`")
        .add(
            "message_bytes",
            Bytes(message_bytes),
            "A message fills the memory.",
        )
        .add("depth", depth, "Nesting uses up the stack.")
        .add(
            "nodes",
            nodes,
            "Small values become large when they are read.",
        )
        .add("batch", batch, "One message is many calls.")
        .add(
            "id_bytes",
            Bytes(id_bytes),
            "Ids are kept for as long as their calls.",
        )
        .add(
            "method_bytes",
            Bytes(method_bytes),
            "Names of methods get into logs.",
        )
}

/// Nobody has had a reason to change these.
fn fixed() -> Section {
    Section::new("Fixed")
        .add(
            "components",
            10_000_usize,
            "A source of components never ends (`ServerBuilder::max_components`).",
        )
        .add(
            "messages of a call that wait",
            16_usize,
            "A handler talks faster than its client reads; then it waits.",
        )
        .add(
            "subscribed URIs of a session",
            256_usize,
            "One session subscribes to everything.",
        )
        .add(
            "GET streams of a session",
            "8 of 64 messages",
            "A client that does not read keeps notifications; more are dropped.",
        )
        .add(
            "calls that wait on stdio",
            128_usize,
            "A client that sends faster than it reads fills the memory; its pipe is full instead.",
        )
        .add(
            "headers that handlers see",
            "16 of 4 KiB",
            "Headers are kept with each call.",
        )
        .add(
            "requests of a connection over HTTP/2",
            100_usize,
            "One connection takes all places; one more is refused, and may be sent again.",
        )
        .add(
            "heads over HTTP/2",
            "64 headers, 16 KiB",
            "Heads fill the memory, as over HTTP/1.1, where the bounds are the same.",
        )
        .add(
            "bodies over HTTP/2 that are not read yet",
            "64 KiB each, 1 MiB a connection",
            "Bodies fill the memory before anybody looks at them.",
        )
        .add(
            "responses over HTTP/2 that wait for the socket",
            "64 KiB each",
            "Responses do that nobody reads.",
        )
        .add(
            "requests over HTTP/2 that are reset before they begin",
            20_usize,
            "Requests are begun that nobody wants (CVE-2023-44487); the connection ends.",
        )
        .add(
            "streams over HTTP/2 that break the rules",
            1_024_usize,
            "The server is kept busy with refusing (CVE-2025-8671); the connection ends.",
        )
        .add(
            "clients of a flood limit",
            100_000_usize,
            "The counts themselves fill the memory.",
        )
        .add(
            "a lock",
            "16 MiB, 16 signatures",
            "A file that somebody else wrote fills the memory.",
        )
}
