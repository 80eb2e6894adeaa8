//! Every setting of PyMCP's own: values that are refused, and values at the edges that are taken. A test holds that none
//! is missing. Those that every program has are tested in `crates/app`.

/// Flag, variable, values that are refused, and what its sentence says is allowed.
pub(super) const REFUSED: [(&str, &str, &[&str], &str); 24] = [
    (
        "--python-workers",
        "PYMCP_PYTHON_WORKERS",
        &["", "0", "65", "many"],
        "auto or a whole number from 1 to 64",
    ),
    (
        "--python-queue",
        "PYMCP_PYTHON_QUEUE",
        &["-1", "10001"],
        "a whole number from 0 to 10000",
    ),
    (
        "--python-queue-timeout",
        "PYMCP_PYTHON_QUEUE_TIMEOUT",
        &["0", "601"],
        "a whole number of seconds from 1 to 600",
    ),
    (
        "--python-isolation",
        "PYMCP_PYTHON_ISOLATION",
        &["none"],
        "one of session, process",
    ),
    (
        "--python-sandbox",
        "PYMCP_PYTHON_SANDBOX",
        &["off", ""],
        "one of best-effort, require",
    ),
    (
        "--python-timeout",
        "PYMCP_PYTHON_TIMEOUT",
        &["0", "61", "1.5"],
        "a whole number of seconds from 1 to 60",
    ),
    (
        "--python-memory",
        "PYMCP_PYTHON_MEMORY",
        &["7", "257"],
        "a whole number from 8 to 256",
    ),
    (
        "--python-code-size",
        "PYMCP_PYTHON_CODE_SIZE",
        &["0", "257"],
        "a whole number from 1 to 256",
    ),
    (
        "--python-inputs-size",
        "PYMCP_PYTHON_INPUTS_SIZE",
        &["0", "1025"],
        "a whole number from 1 to 1024",
    ),
    (
        "--python-value-size",
        "PYMCP_PYTHON_VALUE_SIZE",
        &["0", "4097"],
        "a whole number from 1 to 4096",
    ),
    (
        "--python-output-size",
        "PYMCP_PYTHON_OUTPUT_SIZE",
        &["0", "4097"],
        "a whole number from 1 to 4096",
    ),
    (
        "--python-utc-offset",
        "PYMCP_PYTHON_UTC_OFFSET",
        &["5", "+24:00", "Asia/Kolkata"],
        "UTC or an offset such as +05:30 or -03:00",
    ),
    (
        "--python-recursion",
        "PYMCP_PYTHON_RECURSION",
        &["9", "1001"],
        "a whole number from 10 to 1000",
    ),
    (
        "--python-host-calls",
        "PYMCP_PYTHON_HOST_CALLS",
        &["-1", "10001"],
        "a whole number from 0 to 10000",
    ),
    (
        "--search-engines",
        "PYMCP_SEARCH_ENGINES",
        &["", ",", "mojeek, askjeeves", "auto, mojeek"],
        "auto or a comma-separated list of ",
    ),
    (
        "--search-urls",
        "PYMCP_SEARCH_URLS",
        &[
            "hunter2",
            "mojeek=",
            "askjeeves=https://hunter2.example/",
            "mojeek=https://hunter2.example/, mojeek=https://b.example/",
        ],
        "a comma-separated list of name=URL, each name once and one of ",
    ),
    (
        "--searxng-url",
        "SEARXNG_URL",
        &[
            "hunter2",
            "ftp://hunter2.example/",
            "https://me:hunter2@search.example/",
            "https://search.example/?key=hunter2",
            "https://search.example/#hunter2",
        ],
        "an http or https address without user, query and fragment",
    ),
    (
        "--brave-api-key",
        "BRAVE_API_KEY",
        &["hunter 2", "hünter2", LONG],
        "a key of at most 512 visible ASCII characters",
    ),
    (
        "--search-private-hosts",
        "PYMCP_SEARCH_PRIVATE_HOSTS",
        &["http://localhost", "localhost:8888", "[::1]:80", "a b"],
        "a comma-separated list of host names and IP addresses, without ports",
    ),
    (
        "--search-proxy",
        "PYMCP_SEARCH_PROXY",
        &["hunter2", "ftp://me:hunter2@proxy.example/"],
        "an address such as http://proxy.example:3128",
    ),
    (
        "--search-timeout",
        "PYMCP_SEARCH_TIMEOUT",
        &["", "0", "61", "1.5"],
        "a whole number of seconds from 1 to 60",
    ),
    (
        "--search-engine-timeout",
        "PYMCP_SEARCH_ENGINE_TIMEOUT",
        &["0", "61", "-1"],
        "a whole number of seconds from 1 to 60",
    ),
    (
        "--search-interval",
        "PYMCP_SEARCH_INTERVAL",
        &["-1", "60001", "1s"],
        "a whole number of milliseconds from 0 to 60000",
    ),
    (
        "--search-user-agent",
        "PYMCP_SEARCH_USER_AGENT",
        &["", "pymcp\tnext", "pymcp é", LONG],
        "1 to 200 visible ASCII characters and spaces",
    ),
];

/// Values at the edges, which are taken.
pub(super) const ACCEPTED: [(&str, &[&str]); 24] = [
    ("PYMCP_PYTHON_WORKERS", &["auto", "1", " 64 "]),
    ("PYMCP_PYTHON_QUEUE", &["0", "10000"]),
    ("PYMCP_PYTHON_QUEUE_TIMEOUT", &["1", "600"]),
    ("PYMCP_PYTHON_ISOLATION", &["session", "Process"]),
    ("PYMCP_PYTHON_SANDBOX", &["best-effort", "require"]),
    ("PYMCP_PYTHON_TIMEOUT", &["1", "60"]),
    ("PYMCP_PYTHON_MEMORY", &["8", "256"]),
    ("PYMCP_PYTHON_CODE_SIZE", &["1", "256"]),
    ("PYMCP_PYTHON_INPUTS_SIZE", &["1", "1024"]),
    ("PYMCP_PYTHON_VALUE_SIZE", &["1", "4096"]),
    ("PYMCP_PYTHON_OUTPUT_SIZE", &["1", "4096"]),
    ("PYMCP_PYTHON_RECURSION", &["10", "1000"]),
    ("PYMCP_PYTHON_UTC_OFFSET", &["UTC", "+05:30", "-23:59"]),
    ("PYMCP_PYTHON_HOST_CALLS", &["0", "10000"]),
    (
        "PYMCP_SEARCH_ENGINES",
        &["auto", " Auto ", "mojeek", " wikipedia , mojeek,"],
    ),
    (
        "PYMCP_SEARCH_URLS",
        &["", " mojeek = https://mirror.example , "],
    ),
    (
        "SEARXNG_URL",
        &[
            "",
            "https://search.example",
            " https://search.example:8443/searxng/ ",
        ],
    ),
    ("BRAVE_API_KEY", &["", " ", "BSA-0123456789"]),
    (
        "PYMCP_SEARCH_PRIVATE_HOSTS",
        &["", "localhost", "127.0.0.1, ::1, [::1], Search.lan"],
    ),
    (
        "PYMCP_SEARCH_PROXY",
        &[
            "",
            "http://proxy.example:3128",
            "https://me:secret@proxy.example",
            "socks5h://127.0.0.1:9150",
        ],
    ),
    ("PYMCP_SEARCH_TIMEOUT", &["1", "60"]),
    ("PYMCP_SEARCH_ENGINE_TIMEOUT", &["1", "60"]),
    ("PYMCP_SEARCH_INTERVAL", &["0", "60000"]),
    (
        "PYMCP_SEARCH_USER_AGENT",
        &["x", "pymcp/1.0 (+https://example.org/)"],
    ),
];

/// Settings that have a name of the original, or of the product that they are about: flag and that name.
pub(super) const ALIASES: [(&str, &str); 8] = [
    ("transport", "MCP_SERVER_TRANSPORT"),
    ("host", "FASTMCP_HOST"),
    ("port", "FASTMCP_PORT"),
    ("response-cache-ttl", "RESPONSE_CACHE_TTL"),
    ("cors-origins", "ASGI_CORS_ALLOWED_ORIGINS"),
    ("searxng-url", "SEARXNG_URL"),
    ("brave-api-key", "BRAVE_API_KEY"),
    ("search-proxy", "DDGS_PROXY"),
];

/// Settings whose values are shown nowhere, because they can hold a password.
pub(super) const SECRET: [&str; 5] = [
    "PYMCP_SEARCH_URLS",
    "SEARXNG_URL",
    "BRAVE_API_KEY",
    "PYMCP_SEARCH_PROXY",
    "DDGS_PROXY",
];

/// Variables with their values, and what the sentence says of them.
type Combination = (
    &'static [(&'static str, &'static str)],
    &'static [&'static str],
);

/// Settings that are good alone and not together.
pub(super) const TOGETHER: [Combination; 7] = [
    (
        &[("PYMCP_SEARCH_ENGINES", "brave_api")],
        &[
            "PYMCP_SEARCH_ENGINES (--search-engines)",
            "set BRAVE_API_KEY",
        ],
    ),
    (
        &[("PYMCP_SEARCH_ENGINES", "mojeek, searxng")],
        &["PYMCP_SEARCH_ENGINES (--search-engines)", "set SEARXNG_URL"],
    ),
    (
        &[("SEARXNG_URL", "http://search.example/hunter2")],
        &[
            "PYMCP_SEARCH_PRIVATE_HOSTS (--search-private-hosts)",
            "search.example",
        ],
    ),
    (
        &[
            ("SEARXNG_URL", "http://localhost:8888/"),
            ("PYMCP_SEARCH_PRIVATE_HOSTS", "127.0.0.1"),
        ],
        &["PYMCP_SEARCH_PRIVATE_HOSTS", "must name localhost"],
    ),
    (
        &[("PYMCP_SEARCH_URLS", "mojeek=http://[::1]:8080/")],
        &["PYMCP_SEARCH_PRIVATE_HOSTS", "must name [::1]"],
    ),
    (
        &[("PYMCP_SEARCH_URLS", "mojeek=hunter2")],
        &["PYMCP_SEARCH_URLS (--search-urls)", "http or https address"],
    ),
    (
        &[
            ("PYMCP_SEARCH_URLS", "mojeek=https://m.example/?hunter2"),
            ("SEARXNG_URL", "https://search.example/"),
        ],
        &[
            "SEARXNG_URL (--searxng-url)",
            "PYMCP_SEARCH_URLS (--search-urls)",
        ],
    ),
];

/// Longer than any text may be.
const LONG: &str = "\
    hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-\
    hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-\
    hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-\
    hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-\
    hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-\
    hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-";
