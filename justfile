# The verbs of daily life. `just` alone lists them.

set positional-arguments

logo_dir := "src/resources/assets"
inspector := "npx --yes --package node@22 --package @modelcontextprotocol/inspector@2 -- mcp-inspector"

# List the verbs
_default:
    @just --list --unsorted

# Serve over stdio; further arguments go to `pymcp`
run *args:
    cargo run --locked -- "$@"

# Serve over streamable HTTP at http://127.0.0.1:PORT/mcp
serve-http port="8000":
    cargo run --locked -- serve --transport http --port {{ port }}

# Try the server by hand in the MCP Inspector
inspect *args:
    cargo build --locked
    {{ inspector }} "$@" "${CARGO_TARGET_DIR:-{{ justfile_directory() }}/target}/debug/pymcp"

# Run every test
test *args:
    cargo test --workspace --locked --no-fail-fast "$@"

# Format, lint, test and compare the generated docs: what a change must pass
check: fmt-check lint test docs-check

# Format the code
fmt:
    cargo fmt --all

# Fail if the code is not formatted
fmt-check:
    cargo fmt --all --check

# Lint everything, tests and benches included
lint:
    cargo clippy --workspace --all-targets --locked -- -D warnings

# Write the tables that the README takes from the code
docs:
    cargo run --locked --quiet -- docs

# Fail if those tables are out of date, or if rustdoc warns
docs-check:
    cargo run --locked --quiet -- docs --check
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

# Accept what the server lists and says today as the new snapshots and transcripts; read the diff before you commit it
snapshots:
    UPDATE_SNAPSHOTS=1 cargo test --workspace --locked --test it -- snapshots
    cargo build --workspace --locked --example fixture
    UPDATE_SNAPSHOTS=1 cargo test --workspace --locked --test wire -- testing transcripts

# Measure the server against the control servers
bench *args:
    cargo build --workspace --release --locked --bins
    "${CARGO_TARGET_DIR:-target}/release/load" "$@"

# Time parse, dispatch and serialise, and count their allocations
bench-micro *args:
    cargo bench --locked -p pymcp-kit "$@"

# Fuzz one target for so many seconds (needs a nightly compiler and cargo-fuzz; `cargo +nightly fuzz list` names the targets)
fuzz target seconds="60":
    mkdir -p fuzz/corpus/{{ target }}
    {{ if target == "values" { "ASAN_OPTIONS=detect_leaks=0" } else { "" } }} cargo +nightly fuzz run {{ if target =~ "^(worker|values)$" { "--features python" } else if target == "search" { "--features search" } else { "" } }} \
        {{ target }} fuzz/corpus/{{ target }} fuzz/seeds/{{ target }} -- -dict=fuzz/mcp.dict -max_total_time={{ seconds }}

# Fail if a fuzz target does not compile (any compiler will do)
fuzz-check:
    cargo check --manifest-path fuzz/Cargo.toml --locked --no-default-features --features python,search

# Run the official conformance suite
conformance *args:
    cargo build --release --locked
    cargo build --workspace --locked --example conformance
    tests/conformance/run "$@"

# Let real SDK clients call everything
clients *args:
    cargo build --release --locked
    tests/clients/run "$@"

# Look at the page at `/` in Chromium (installs it, as root); screenshots go to the folder that SCREENSHOTS names
page-check:
    cargo build --release --locked
    cargo build --workspace --locked --example hostile
    tests/page/run

# Run nginx and Caddy in front of real servers, and check the rest of deploy/ (installs nginx, Caddy and redis-server, as root)
deploy-check *args:
    cargo build --workspace --release --locked --bins
    cargo build --workspace --locked --features pymcp-app/redis --example everything --example conformance
    tests/deploy/run "$@"

# Compare the sandbox's Python with this machine's CPython (`differential`), or run HumanEval in it (`humaneval`)
judge which *args:
    cargo build --release --locked
    tests/python/run "$@"

# Build a server as the image of deploy/ is built, and run it where nothing else is (as root)
static-check:
    tests/deploy/static

# Run all attacks on the release build
attacks:
    cargo build --workspace --release --locked --bins
    PYMCP_TEST_BINARY="$(realpath target/release/pymcp)" \
        cargo test --workspace --locked --test it -- --nocapture python::attacks

# Test with the oldest and the newest rmcp that Cargo.toml allows
rmcp-range *args:
    tests/rmcp-range/run "$@"

# Check licences, bans and sources of all dependencies
deny:
    cargo deny --workspace --locked check bans licenses sources

# Render the logo's PNG from its SVG (Debian: librsvg2-bin, pngquant)
logo:
    rsvg-convert --width 512 --output {{ logo_dir }}/logo.png {{ logo_dir }}/logo.svg
    pngquant --strip --speed 1 --force --output {{ logo_dir }}/logo.png {{ logo_dir }}/logo.png

# Run what CI runs
ci:
    .ci/run
