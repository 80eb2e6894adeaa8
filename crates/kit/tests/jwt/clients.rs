//! The requests of clients in the order and form in which they are publicly reported, against an endpoint that wants a token:
//! the challenge from which they learn where to sign in, the metadata, and what they send once they have a token.
//!
//! To add a client, add a [`Shape`], with where its requests were reported. Versions and hosts are examples.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pymcp_kit::auth::jwt::JwtConfig;
use pymcp_kit::auth::tokens::{TokenEntry, TokenHash, Tokens};
use pymcp_kit::auth::{Authentication, Authenticator, Scopes};
use pymcp_kit::transport::http::{HttpConfig, serve};
use pymcp_kit::{Ctx, NoArgs, Result, Server, Tool};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::issuer::{AUDIENCE, Documents, ISSUER, Signer, authenticator, claims};

/// Long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

const TOKEN: &str = "pymcp_test_only_token";

/// What a client sends.
struct Shape {
    client: &'static str,
    /// Where it was reported.
    source: &'static str,
    /// Headers of every request, a line each.
    headers: &'static str,
    /// What it accepts in answer to a `POST`.
    accept: &'static str,
    /// Whether it asks for 2026-07-28 first.
    discovers: bool,
    revision: &'static str,
    capabilities: &'static str,
    info: &'static str,
    /// The id of its first request.
    first_id: Value,
    /// Documents that it looks for before it has a token, after the one that the challenge names.
    looks: &'static [(&'static str, u16)],
    /// Whether it listens for messages with a `GET`.
    listens: bool,
    /// Whether it ends its session.
    deletes: bool,
}

const BOTH: &str = "application/json, text/event-stream";
const AT_PATH: &str = "/.well-known/oauth-protected-resource/mcp";
const AT_ROOT: &str = "/.well-known/oauth-protected-resource";
const SERVER: &str = "/.well-known/oauth-authorization-server";

fn shapes() -> Vec<Shape> {
    vec![
        Shape {
            client: "VS Code",
            source: "microsoft/vscode#308766, #264502; wso2/api-platform#2869",
            headers: "User-Agent: node",
            accept: "text/event-stream, application/json",
            discovers: false,
            revision: "2025-11-25",
            capabilities: r#"{"roots":{"listChanged":true},"sampling":{},"elicitation":{"form":{},"url":{}},"tasks":{"list":{},"cancel":{},"requests":{"sampling":{"createMessage":{}},"elicitation":{"create":{}}}},"extensions":{"io.modelcontextprotocol/ui":{"mimeTypes":["text/html;profile=mcp-app"]}}}"#,
            info: r#"{"name":"Visual Studio Code","version":"1.115.0"}"#,
            first_id: json!(1),
            looks: &[(AT_PATH, 200)],
            listens: true,
            deletes: true,
        },
        Shape {
            client: "Claude Code",
            source: "TypingMind/typingmind-mcp#25, Urigo/accounter-fullstack#4393, supernovae-st/nika#185",
            headers: "User-Agent: claude-code/2.1.263 (cli)",
            accept: BOTH,
            discovers: true,
            revision: "2025-11-25",
            capabilities: r#"{"roots":{},"elicitation":{}}"#,
            info: r#"{"name":"claude-code","version":"2.1.263"}"#,
            first_id: json!(0),
            looks: &[(AT_PATH, 200), (SERVER, 404)],
            listens: true,
            deletes: true,
        },
        Shape {
            client: "Claude on the web and in Desktop (connector)",
            source: "anthropics/claude-ai-mcp#76, #336, #680",
            headers: "User-Agent: python-httpx/0.28.1",
            accept: "*/*",
            discovers: false,
            revision: "2025-11-25",
            capabilities: "{}",
            info: r#"{"name":"Anthropic","version":"1.0.0"}"#,
            first_id: json!(1),
            looks: &[(AT_PATH, 200), (AT_ROOT, 200), (SERVER, 404)],
            listens: false,
            deletes: false,
        },
        Shape {
            client: "Codex",
            source: "openai/codex#18437, #20562; ctxpipe-ai/ctxpipe#156",
            headers: "User-Agent: codex_cli_rs/0.154.0",
            accept: "text/event-stream, application/json",
            discovers: false,
            revision: "2025-06-18",
            capabilities: r#"{"elicitation":{}}"#,
            info: r#"{"name":"codex-mcp-client","title":"Codex","version":"0.154.0"}"#,
            first_id: json!(0),
            looks: &[
                (AT_ROOT, 200),
                (AT_PATH, 200),
                ("/.well-known/oauth-authorization-server/mcp", 404),
                (SERVER, 404),
            ],
            listens: true,
            deletes: true,
        },
        Shape {
            client: "Copilot CLI",
            source: "github/copilot-cli#1268, #4582, #4681",
            // No User-Agent at all once it has a token.
            headers: "",
            accept: "text/event-stream, application/json",
            discovers: false,
            revision: "2025-11-25",
            capabilities: r#"{"elicitation":{"form":{},"url":{}},"sampling":{}}"#,
            info: r#"{"name":"github-copilot-developer","version":"1.0.25"}"#,
            first_id: json!(0),
            looks: &[(AT_PATH, 200)],
            listens: true,
            deletes: true,
        },
        Shape {
            client: "Cursor",
            source: "Altinity/altinity-mcp#169, stripe/ai#304",
            headers: "User-Agent: node\nAccept-Language: *\nSec-Fetch-Mode: cors",
            accept: BOTH,
            discovers: false,
            revision: "2025-11-25",
            capabilities: r#"{"tools":true,"prompts":true,"resources":true,"logging":false,"elicitation":{},"roots":{"listChanged":false}}"#,
            info: r#"{"name":"cursor-vscode","version":"1.0.0"}"#,
            first_id: json!(0),
            looks: &[
                (AT_PATH, 200),
                (SERVER, 404),
                ("/.well-known/openid-configuration", 404),
            ],
            listens: true,
            deletes: true,
        },
    ]
}

async fn stock(ctx: Ctx, _: NoArgs) -> Result<String> {
    Ok(ctx.principal().subject().unwrap_or("nobody").to_owned())
}

/// An endpoint that wants a token.
struct Endpoint {
    address: SocketAddr,
    token: String,
    /// Whether clients are told where to sign in.
    has_issuer: bool,
    subject: &'static str,
}

impl Endpoint {
    async fn new(
        authenticator: Arc<dyn Authenticator>,
        token: String,
        has_issuer: bool,
        subject: &'static str,
    ) -> Self {
        let tool = Tool::new("stock", stock)
            .description("Says who asks.")
            .read_only();
        let server = Server::builder("test", "1.0.0")
            .tool(tool.scopes(["stock:read"]))
            .build()
            .unwrap();
        let config = HttpConfig {
            auth: Authentication {
                authenticator: Some(authenticator),
                ..Authentication::default()
            },
            ..HttpConfig::default()
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(
            listener,
            server,
            config,
            std::future::pending::<()>(),
        ));
        Self {
            address,
            token,
            has_issuer,
            subject,
        }
    }

    /// With tokens that somebody hands out.
    async fn with_tokens() -> Self {
        let entry = TokenEntry {
            name: "ali".into(),
            hash: TokenHash::of(TOKEN),
            scopes: Scopes::parse("stock:read").unwrap(),
            expires: None,
        };
        let tokens = Tokens::new(vec![entry]).unwrap();
        Self::new(Arc::new(tokens), TOKEN.into(), false, "token:ali").await
    }

    /// With tokens of an issuer.
    async fn with_issuer() -> Self {
        let signer = Signer::new("a", "RS256");
        let config = JwtConfig {
            required_scopes: Scopes::parse("stock:read").unwrap(),
            ..JwtConfig::new(ISSUER, [AUDIENCE])
        };
        let verifier = authenticator(config, &Documents::of(&[&signer]));
        let token = signer.token(&claims());
        let subject = "https://login.example/tenant#ali";
        Self::new(Arc::new(verifier), token, true, subject).await
    }

    /// Sends a request as it is, and reads the head of its response, and of JSON the body.
    async fn send(&self, method: &str, path: &str, headers: &[String], body: &str) -> Response {
        let lines = headers.iter().flat_map(|lines| lines.lines());
        let headers: String = lines.map(|line| format!("{line}\r\n")).collect();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        let reading = async {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            Response::read(BufReader::new(stream)).await
        };
        timeout(PATIENCE, reading)
            .await
            .expect("a response in time")
    }
}

#[derive(Debug, Default)]
struct Response {
    status: u16,
    head: String,
    message: Value,
}

impl Response {
    async fn read(mut stream: BufReader<TcpStream>) -> Self {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(stream.read_line(&mut head).await.unwrap(), 0, "{head}");
        }
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut response = Self {
            status,
            head,
            message: Value::Null,
        };
        if response.header("content-type") != Some("text/event-stream") {
            let mut body = String::new();
            stream.read_to_string(&mut body).await.unwrap();
            response.message = serde_json::from_str(&body).unwrap_or_default();
        }
        response
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

impl Shape {
    fn json(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    fn initialize(&self) -> Value {
        json!({
            "method": "initialize",
            "params": {
                "protocolVersion": self.revision,
                "capabilities": Self::json(self.capabilities),
                "clientInfo": Self::json(self.info),
            },
            "jsonrpc": "2.0",
            "id": self.first_id,
        })
    }

    fn posts(&self) -> Vec<String> {
        vec![
            self.headers.to_owned(),
            format!("Accept: {}\nContent-Type: application/json", self.accept),
        ]
    }

    /// `server/discover`, as clients of 2026-07-28 send it first.
    fn discover(&self) -> (String, Value) {
        let message = json!({
            "jsonrpc": "2.0", "id": "probe", "method": "server/discover",
            "params": { "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": Self::json(self.capabilities),
                "io.modelcontextprotocol/clientInfo": Self::json(self.info),
            } },
        });
        (
            "MCP-Protocol-Version: 2026-07-28\nMcp-Method: server/discover".into(),
            message,
        )
    }

    /// Without a token: the challenge, and the documents that it leads to.
    async fn learns_where_to_sign_in(&self, endpoint: &Endpoint) {
        let at = format!("{} ({})", self.client, self.source);
        let mut first = vec![(self.posts(), self.initialize())];
        if self.discovers {
            let (headers, message) = self.discover();
            first.insert(0, ([self.posts(), vec![headers]].concat(), message));
        }
        for (headers, message) in first {
            let response = endpoint
                .send("POST", "/mcp", &headers, &message.to_string())
                .await;
            assert_eq!(response.status, 401, "{at}: {response:?}");
            assert!(
                response.message["error"]["message"].is_string(),
                "{at}: {response:?}"
            );
            let challenge = response.header("www-authenticate").unwrap();
            assert!(
                challenge.starts_with("Bearer scope=\"stock:read\""),
                "{at}: {challenge}"
            );
            // Codex takes an error there for a token that was refused.
            assert!(!challenge.contains("error="), "{at}: {challenge}");
            let named = format!("resource_metadata=\"http://{}{AT_PATH}\"", endpoint.address);
            assert_eq!(
                challenge.contains(&named),
                endpoint.has_issuer,
                "{at}: {challenge}"
            );
        }
        for (path, status) in self.looks {
            let accept = "Accept: */*\nMCP-Protocol-Version: 2025-11-25".to_owned();
            let found = endpoint
                .send("GET", path, &[self.headers.into(), accept], "")
                .await;
            let expected = if endpoint.has_issuer { *status } else { 404 };
            assert_eq!(found.status, expected, "{at}: {path}");
            if found.status == 200 {
                assert_eq!(
                    found.message["resource"],
                    format!("http://{}/mcp", endpoint.address)
                );
                assert_eq!(found.message["authorization_servers"], json!([ISSUER]));
                assert_eq!(
                    found.message["scopes_supported"],
                    json!(["stock:read"]),
                    "{at}"
                );
            }
        }
    }

    /// With a token: the conversation, and no 401 in it.
    async fn talks(&self, endpoint: &Endpoint) {
        let at = format!("{} ({})", self.client, self.source);
        let bearer = format!("Authorization: Bearer {}", endpoint.token);
        let posts = [self.posts(), vec![bearer.clone()]].concat();
        if self.discovers {
            let (headers, message) = self.discover();
            let headers = [posts.clone(), vec![headers]].concat();
            let response = endpoint
                .send("POST", "/mcp", &headers, &message.to_string())
                .await;
            assert_eq!(response.status, 200, "{at}: {response:?}");
            let versions = response.message["result"]["supportedVersions"]
                .as_array()
                .unwrap();
            assert!(versions.contains(&json!("2026-07-28")), "{at}");
        }
        let message = self.initialize().to_string();
        let response = endpoint.send("POST", "/mcp", &posts, &message).await;
        assert_eq!(response.status, 200, "{at}: {response:?}");
        assert_eq!(response.message["id"], self.first_id, "{at}");
        let settled = &response.message["result"]["protocolVersion"];
        assert_eq!(settled, self.revision, "{at}");
        let session = response.header("mcp-session-id").unwrap();
        let session = format!(
            "Mcp-Session-Id: {session}\nMCP-Protocol-Version: {}",
            self.revision
        );
        let posts = [posts, vec![session.clone()]].concat();
        let initialized = json!({ "method": "notifications/initialized", "jsonrpc": "2.0" });
        let response = endpoint
            .send("POST", "/mcp", &posts, &initialized.to_string())
            .await;
        assert_eq!(response.status, 202, "{at}: {response:?}");
        if self.listens {
            let gets = [self.headers.to_owned(), "Accept: text/event-stream".into()];
            let gets = [&gets[..], &[bearer.clone(), session.clone()]].concat();
            let response = endpoint.send("GET", "/mcp", &gets, "").await;
            let kind = response.header("content-type");
            assert_eq!(
                (response.status, kind),
                (200, Some("text/event-stream")),
                "{at}"
            );
        }
        let call = json!({ "method": "tools/call", "params": { "name": "stock", "arguments": {} }, "jsonrpc": "2.0", "id": 7 });
        let response = endpoint
            .send("POST", "/mcp", &posts, &call.to_string())
            .await;
        assert_eq!(response.status, 200, "{at}: {response:?}");
        assert_eq!(
            response.message["result"]["content"][0]["text"], endpoint.subject,
            "{at}"
        );
        // One that the client made up, or that a gateway lost.
        let no_session = [
            &[self.headers.to_owned(), "Accept: text/event-stream".into()][..],
            std::slice::from_ref(&bearer),
        ]
        .concat();
        let response = endpoint.send("GET", "/mcp", &no_session, "").await;
        assert!(![401, 403].contains(&response.status), "{at}: {response:?}");
        if self.deletes {
            let deletes = [self.headers.to_owned(), bearer, session];
            let response = endpoint.send("DELETE", "/mcp", &deletes, "").await;
            assert!((200..300).contains(&response.status), "{at}: {response:?}");
            let again = endpoint.send("DELETE", "/mcp", &deletes, "").await;
            assert_eq!(again.status, 404, "{at}: {again:?}");
            let response = endpoint
                .send("POST", "/mcp", &posts, &call.to_string())
                .await;
            assert_eq!(response.status, 404, "{at}: {response:?}");
        }
    }
}

#[tokio::test]
async fn each_client_is_challenged_and_then_served_with_tokens_of_a_table() {
    let endpoint = Endpoint::with_tokens().await;
    for shape in shapes() {
        shape.learns_where_to_sign_in(&endpoint).await;
        shape.talks(&endpoint).await;
    }
}

#[tokio::test]
async fn each_client_is_challenged_and_then_served_with_tokens_of_an_issuer() {
    let endpoint = Endpoint::with_issuer().await;
    for shape in shapes() {
        shape.learns_where_to_sign_in(&endpoint).await;
        shape.talks(&endpoint).await;
    }
}

/// Claude sends keys of its users in a header of their choice (anthropics/claude-ai-mcp#112).
#[tokio::test]
async fn a_static_header_is_as_good_as_a_bearer_token() {
    let endpoint = Endpoint::with_tokens().await;
    let shapes = shapes();
    let claude = shapes
        .iter()
        .find(|shape| shape.client.contains("connector"))
        .unwrap();
    for header in [
        "X-Api-Key: ",
        "Authorization: Bearer ",
        "authorization: bearer ",
    ] {
        let headers = [claude.posts(), vec![format!("{header}{TOKEN}")]].concat();
        let message = claude.initialize().to_string();
        let response = endpoint.send("POST", "/mcp", &headers, &message).await;
        assert_eq!(response.status, 200, "{header}: {response:?}");
    }
}
