//! What is known of clients: limits and timeouts that a server has to live with, each with its public source. A server
//! cannot ask a client for them. To add one, add a line.

use std::time::Duration;

use serde::Serialize;

use super::observed::Over;

/// Something that a client does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Fact {
    pub(crate) client: &'static str,
    /// What it does, as a sentence without the client.
    pub(crate) what: &'static str,
    /// The setting that moves it, if there is one.
    pub(crate) setting: Option<&'static str>,
    /// Where that is said.
    pub(crate) source: &'static str,
    #[serde(skip)]
    about: About,
}

/// For which servers it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    All,
    Process,
    Http,
}

/// The shortest time in which a client wants a server to have started: Codex's.
pub(crate) const START: Duration = Duration::from_secs(10);

/// The longest time that widely used clients wait for a server to start, whatever is configured: Claude Code's.
pub(crate) const START_AT_MOST: Duration = Duration::from_secs(60);

/// Tools that a request of VS Code may have, of all servers together.
pub(crate) const TOOLS: usize = 128;

/// Characters of a name that model providers take.
pub(crate) const NAME: usize = 64;

/// Characters of the name of a property that Anthropic's API takes.
pub(crate) const PROPERTY: usize = 64;

/// Every fact.
const FACTS: &[Fact] = &[
    Fact {
        client: "Codex",
        what: "waits 10 s for a server to start",
        setting: Some("startup_timeout_sec"),
        source: "openai/codex#11851",
        about: About::Process,
    },
    Fact {
        client: "Claude Code",
        what: "waits 30 s for a server to start, and never more than 60 s",
        setting: Some("MCP_TIMEOUT"),
        source: "anthropics/claude-code#16837",
        about: About::Process,
    },
    Fact {
        client: "Claude Desktop",
        what: "gives a call about 60 s",
        setting: None,
        source: "anthropics/claude-code#22542",
        about: About::All,
    },
    Fact {
        client: "Clients of the TypeScript SDK",
        what: "give a request 60 s (-32001), and progress extends that only where they ask for it",
        setting: Some("timeout, resetTimeoutOnProgress"),
        source: "modelcontextprotocol/typescript-sdk#192",
        about: About::All,
    },
    Fact {
        client: "VS Code",
        what: "sends a model at most 128 tools, those of all servers together",
        setting: None,
        source: "microsoft/vscode#337428",
        about: About::All,
    },
    Fact {
        client: "VS Code",
        what: "takes any 401 of the endpoint, that of a GET or DELETE too, for an invalid token",
        setting: None,
        source: "wso2/api-platform#2869",
        about: About::Http,
    },
    Fact {
        client: "Copilot CLI",
        what: "learns the scope to ask for from the 401 alone",
        setting: None,
        source: "github/copilot-cli#4582",
        about: About::Http,
    },
    Fact {
        client: "Claude Code",
        what: "says that a token expired when a 403 says that a scope is missing",
        setting: None,
        source: "anthropics/claude-code#92518",
        about: About::Http,
    },
    Fact {
        client: "Claude",
        what: "calls tools mcp__SERVER__TOOL, of which model providers take 64 characters",
        setting: None,
        source: "anthropics/claude-code#2412",
        about: About::All,
    },
];

/// The facts that count for a server that is reached like this.
pub(crate) fn facts(over: Over) -> impl Iterator<Item = &'static Fact> {
    FACTS.iter().filter(move |fact| match fact.about {
        About::All => true,
        About::Process => matches!(over, Over::Memory | Over::Stdio),
        About::Http => over == Over::Http,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fact_has_a_source() {
        for fact in FACTS {
            let (repository, number) = fact.source.split_once('#').unwrap();
            assert!(
                repository.contains('/') && number.parse::<u32>().is_ok(),
                "{fact:?}"
            );
        }
        assert!(facts(Over::Http).all(|fact| fact.about != About::Process));
        assert!(facts(Over::Sse).all(|fact| fact.about == About::All));
        assert!(facts(Over::Stdio).any(|fact| fact.client == "Codex"));
    }
}
