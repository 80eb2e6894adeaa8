//! A client of either era.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::auth::Permit;
use crate::core::Server;
use crate::protocol::{Era, LATEST_LEGACY, MODERN_VERSION};
use crate::wire::Code;

use super::PATIENCE;
use super::heard::{self, Progress};
use super::link::{Link, Silence};
use super::program::Pipes;
use super::reply::Reply;
use super::script::{Asked, ELICITATION, ROOTS, SAMPLING, Script, accepted, sampled};

/// Pages of a list that are asked for.
const PAGES: usize = 1000;

/// A client that speaks to a server as clients do, in JSON over a wire, and panics when the server does not.
///
/// It wants to hear of everything and can be asked for everything; a question that nothing was scripted for
/// ([`Client::answer`] and its like) is a panic that shows it. Legacy clients shake hands with their first
/// request. Needs a tokio runtime with time.
///
/// ```
/// use pymcp_kit::testing::Client;
/// use pymcp_kit::{Ctx, Elicited, NoArgs, Result, Server, Tool};
/// use serde_json::json;
///
/// async fn order(ctx: Ctx, _: NoArgs) -> Result<String> {
///     match ctx.elicit::<u8>("How many?").await? {
///         Elicited::Accepted(number) => Ok(format!("{number} ordered")),
///         _ => Ok("Nothing was ordered.".into()),
///     }
/// }
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
/// # runtime.block_on(async {
/// let order = Tool::new("order", order).description("Orders some.").asks::<u8>();
/// let server = Server::builder("shop", "1.0.0").tool(order).build().unwrap();
/// for client in [Client::legacy(&server), Client::modern(&server)] {
///     let mut client = client.answer("How many", json!(3));
///     assert_eq!(client.call("order", json!({})).await.text(), "3 ordered");
/// }
/// # });
/// ```
pub struct Client {
    link: Link,
    era: Era,
    version: &'static str,
    capabilities: Value,
    script: Script,
    patience: Duration,
    /// What the server said of itself.
    welcome: Option<Value>,
    next_id: u64,
    heard: Vec<Value>,
    /// How many notifications of each method [`Client::notified`] has given.
    given: HashMap<String, usize>,
    asked: Vec<Asked>,
}

impl Client {
    /// A client of the newest revision (2026-07-28) and a server in memory.
    pub fn modern(server: &Server) -> Self {
        Self::new(server, Era::Modern)
    }

    /// A client of the newest revision that has sessions (2025-11-25) and a server in memory.
    pub fn legacy(server: &Server) -> Self {
        Self::new(server, Era::Legacy)
    }

    /// A client of this era and a server in memory.
    pub fn new(server: &Server, era: Era) -> Self {
        Self::over(Link::memory(super::connect(server)), era)
    }

    /// A client of this era that may do what this permit allows, and a server in memory: for what scopes hide.
    ///
    /// ```
    /// use pymcp_kit::auth::{Identity, Permit, Scopes};
    ///
    /// let mut ada = Identity::new("ada");
    /// ada.scopes = Scopes::parse("stock:read").unwrap();
    /// let permit = Permit::of(ada);
    /// # drop(permit);
    /// ```
    pub fn with_permit(server: &Server, era: Era, permit: Permit) -> Self {
        Self::over(Link::memory(super::connect_as(server, permit)), era)
    }

    /// A client of this era and a server that listens for streamable HTTP at this address, below `path`
    /// (`/mcp`).
    pub fn http(address: SocketAddr, path: &str, era: Era) -> Self {
        Self::over(Link::http(address, path), era)
    }

    /// A client of this era and a process.
    pub(super) fn process(pipes: Pipes, era: Era) -> Self {
        Self::over(Link::process(pipes), era)
    }

    fn over(link: Link, era: Era) -> Self {
        let version = match era {
            Era::Legacy => LATEST_LEGACY,
            Era::Modern => MODERN_VERSION,
        };
        Self {
            link,
            era,
            version,
            capabilities: json!({
                "elicitation": { "form": {}, "url": {} },
                "sampling": { "context": {}, "tools": {} },
                "roots": { "listChanged": true },
            }),
            script: Script::default(),
            patience: PATIENCE,
            welcome: None,
            next_id: 0,
            heard: Vec::new(),
            given: HashMap::new(),
            asked: Vec::new(),
        }
    }

    /// Declares these capabilities (a `ClientCapabilities` object) instead of all: `json!({})` can be asked for
    /// nothing. To be said before the first request.
    pub fn capabilities(mut self, capabilities: Value) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// Speaks this legacy revision. To be said before the first request.
    pub fn revision(mut self, version: &'static str) -> Self {
        self.version = version;
        self
    }

    /// Waits so long for anything, instead of 30 s.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Accepts elicitations whose message contains `about` ([`ANY`](super::ANY): every one) with this content:
    /// an object of fields, the value of a form with a single field, or `null` for a page to open.
    ///
    /// The first answer that fits is given. Several for the same `about` are given in turn, and the last of them
    /// from then on.
    pub fn answer(mut self, about: &str, content: Value) -> Self {
        self.script.add(ELICITATION, about, accepted(content));
        self
    }

    /// Declines elicitations whose message contains `about`; see [`Client::answer`].
    pub fn decline(mut self, about: &str) -> Self {
        let declined = json!({ "action": "decline" });
        self.script.add(ELICITATION, about, declined);
        self
    }

    /// Closes elicitations whose message contains `about` without an answer; see [`Client::answer`].
    pub fn cancel(mut self, about: &str) -> Self {
        let cancelled = json!({ "action": "cancel" });
        self.script.add(ELICITATION, about, cancelled);
        self
    }

    /// Lets the client's model say `text` to prompts that contain `about`; see [`Client::answer`].
    pub fn sample(mut self, about: &str, text: &str) -> Self {
        self.script.add(SAMPLING, about, sampled(text));
        self
    }

    /// Tells these URIs when it is asked for its roots.
    pub fn roots<'a>(mut self, uris: impl IntoIterator<Item = &'a str>) -> Self {
        let roots = uris.into_iter().map(|uri| json!({ "uri": uri }));
        let roots = json!({ "roots": roots.collect::<Vec<_>>() });
        self.script.add(ROOTS, super::ANY, roots);
        self
    }

    /// Answers what nothing was scripted for: from the method and params of a question to the `result`.
    pub fn answer_with(
        mut self,
        answer: impl FnMut(&str, &Value) -> Option<Value> + Send + 'static,
    ) -> Self {
        self.script.otherwise(Box::new(answer));
        self
    }

    /// Its era.
    pub fn era(&self) -> Era {
        self.era
    }

    /// All tools, as the server defines them.
    pub async fn list_tools(&mut self) -> Vec<Value> {
        self.list("tools/list", "tools").await
    }

    /// All resources.
    pub async fn list_resources(&mut self) -> Vec<Value> {
        self.list("resources/list", "resources").await
    }

    /// All resource templates.
    pub async fn list_templates(&mut self) -> Vec<Value> {
        self.list("resources/templates/list", "resourceTemplates")
            .await
    }

    /// All prompts.
    pub async fn list_prompts(&mut self) -> Vec<Value> {
        self.list("prompts/list", "prompts").await
    }

    /// All pages of a list; empty where the server has no such list.
    async fn list(&mut self, method: &str, member: &str) -> Vec<Value> {
        let (mut all, mut params) = (Vec::new(), json!({}));
        for _ in 0..PAGES {
            let reply = self.request(method, params).await;
            if reply.message()["error"]["code"] == Code::METHOD_NOT_FOUND.0 {
                return all;
            }
            let page = reply.result()[member].as_array();
            let page = page.unwrap_or_else(|| panic!("no {member}: {}", reply.message()));
            all.extend_from_slice(page);
            match reply.result().get("nextCursor") {
                Some(cursor) => params = json!({ "cursor": cursor }),
                None => return all,
            }
        }
        panic!("{method} has no end: {PAGES} pages were read");
    }

    /// Calls a tool.
    pub async fn call(&mut self, tool: &str, arguments: Value) -> Reply {
        let params = json!({ "name": tool, "arguments": arguments });
        self.request("tools/call", params).await
    }

    /// Reads a resource.
    pub async fn read(&mut self, uri: &str) -> Reply {
        self.request("resources/read", json!({ "uri": uri })).await
    }

    /// Gets a prompt.
    pub async fn prompt(&mut self, name: &str, arguments: Value) -> Reply {
        let params = json!({ "name": name, "arguments": arguments });
        self.request("prompts/get", params).await
    }

    /// What may be meant by `typed`, in an argument of the prompt, or a variable of the resource template, `of`
    /// that name (a template's is its URI template).
    pub async fn complete(&mut self, of: &str, argument: &str, typed: &str) -> Vec<String> {
        // No name of a prompt has a colon, and every URI has one.
        let reference = match of.contains(':') {
            true => json!({ "type": "ref/resource", "uri": of }),
            false => json!({ "type": "ref/prompt", "name": of }),
        };
        let argument = json!({ "name": argument, "value": typed });
        let params = json!({ "ref": reference, "argument": argument });
        let reply = self.request("completion/complete", params).await;
        let values = reply.result()["completion"]["values"].clone();
        serde_json::from_value(values)
            .unwrap_or_else(|error| panic!("{error}: {}", reply.message()))
    }

    /// Begins to hear of changes: of the lists, and of the resources with these URIs. What comes then is for
    /// [`Client::notified`].
    pub async fn listen(&mut self, uris: &[&str]) {
        self.greet().await;
        if self.era == Era::Modern {
            let wanted = json!({
                "toolsListChanged": true,
                "promptsListChanged": true,
                "resourcesListChanged": true,
                "resourceSubscriptions": uris,
            });
            let params = self.envelope(json!({ "notifications": wanted }));
            self.start("subscriptions/listen", params).await;
            self.notified("notifications/subscriptions/acknowledged")
                .await;
            return;
        }
        if self.link.is_http() {
            let opened = self.link.listen(self.version).await;
            opened.unwrap_or_else(|error| panic!("no stream of notifications: {error}"));
        }
        for uri in uris {
            let reply = self
                .request("resources/subscribe", json!({ "uri": uri }))
                .await;
            reply.result();
        }
    }

    /// The params of the next notification with this method, which may have come already; each is given once.
    ///
    /// # Panics
    /// When none comes in time.
    pub async fn notified(&mut self, method: &str) -> Value {
        self.greet().await;
        let given = self.given.get(method).copied().unwrap_or_default();
        loop {
            if let Some(found) = heard::of(&self.heard, method).nth(given) {
                let params = found.get("params").cloned().unwrap_or_default();
                self.given.insert(method.to_owned(), given + 1);
                return params;
            }
            self.hear(method).await;
        }
    }

    /// Makes any request, answers what is asked meanwhile, and gives the answer.
    pub async fn request(&mut self, method: &str, params: Value) -> Reply {
        self.greet().await;
        let mut again = params.clone();
        loop {
            let envelope = self.envelope(again);
            let mut message = self.ask(method, envelope).await;
            if message["result"]["resultType"] != "input_required" {
                return Reply(message);
            }
            let requests = message["result"]["inputRequests"].take();
            let requests: BTreeMap<String, Value> =
                serde_json::from_value(requests).unwrap_or_default();
            let responses: Map<String, Value> = requests
                .into_iter()
                .map(|(name, question)| (name, self.decide(&question)))
                .collect();
            again = params.clone();
            again["inputResponses"] = responses.into();
            if let Some(state) = message["result"].get("requestState") {
                again["requestState"] = state.clone();
            }
        }
    }

    /// Sends any notification.
    pub async fn notify(&mut self, method: &str, params: Value) {
        self.greet().await;
        let notification = json!({ "jsonrpc": "2.0", "method": method, "params": params });
        self.send(&notification).await;
    }

    /// The server as it introduces itself: the result of `initialize` (legacy) or `server/discover` (modern).
    pub async fn server(&mut self) -> Value {
        self.greet().await;
        if self.era == Era::Modern && self.welcome.is_none() {
            let reply = self.request("server/discover", json!({})).await;
            self.welcome = Some(reply.result().clone());
        }
        self.welcome.clone().unwrap_or_default()
    }

    /// All questions so far, in the order in which they came.
    pub fn asked(&self) -> &[Asked] {
        &self.asked
    }

    /// All notifications so far.
    pub fn notifications(&self) -> &[Value] {
        &self.heard
    }

    /// The log messages so far: level and text.
    pub fn logs(&self) -> Vec<(String, Value)> {
        heard::logs(&self.heard)
    }

    /// The progress so far.
    pub fn progress(&self) -> Vec<Progress> {
        heard::progress(&self.heard)
    }

    /// Shakes hands, if that is still to be done.
    async fn greet(&mut self) {
        if self.era == Era::Modern || self.welcome.is_some() {
            return;
        }
        let params = json!({
            "protocolVersion": self.version,
            "capabilities": self.capabilities,
            "clientInfo": { "name": "pymcp-kit-testing", "version": env!("CARGO_PKG_VERSION") },
        });
        let welcome = Reply(self.ask("initialize", params).await);
        assert_eq!(
            welcome.result()["protocolVersion"],
            self.version,
            "{welcome:?}"
        );
        self.welcome = Some(welcome.result().clone());
        self.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }))
            .await;
    }

    /// The params with what belongs to every request.
    fn envelope(&self, mut params: Value) -> Value {
        let meta = &mut params["_meta"];
        meta["progressToken"] = json!(self.next_id + 1);
        if self.era == Era::Modern {
            let client =
                json!({ "name": "pymcp-kit-testing", "version": env!("CARGO_PKG_VERSION") });
            meta["io.modelcontextprotocol/protocolVersion"] = json!(self.version);
            meta["io.modelcontextprotocol/clientCapabilities"] = self.capabilities.clone();
            meta["io.modelcontextprotocol/clientInfo"] = client;
            meta["io.modelcontextprotocol/logLevel"] = json!("debug");
        }
        params
    }

    async fn start(&mut self, method: &str, params: Value) -> u64 {
        self.next_id += 1;
        let request =
            json!({ "jsonrpc": "2.0", "id": self.next_id, "method": method, "params": params });
        self.send(&request).await;
        self.next_id
    }

    async fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.start(method, params).await;
        loop {
            if let Some(answer) = self.hear(method).await
                && (answer["id"] == id || answer["id"].is_null())
            {
                return answer;
            }
        }
    }

    async fn send(&mut self, message: &Value) {
        let sent = self.link.send(self.version, message).await;
        sent.unwrap_or_else(|error| {
            panic!("the server does not take a message ({error}): {message}")
        });
    }

    /// Takes the next message; gives it if it is an answer.
    async fn hear(&mut self, what: &str) -> Option<Value> {
        let message = match self.link.next(self.patience).await {
            Ok(message) => message,
            Err(Silence::Closed) => panic!("the server left while {what} was awaited"),
            Err(Silence::TimedOut) => {
                panic!(
                    "nothing came within {:?} while {what} was awaited",
                    self.patience
                )
            }
            Err(Silence::Garbage(why)) => panic!("while {what} was awaited: {why}"),
        };
        match (message["method"].as_str(), message.get("id")) {
            (None, _) => return Some(message),
            (Some(_), None) => self.heard.push(message),
            (Some(_), Some(id)) => {
                let result = self.decide(&message);
                let answer = json!({ "jsonrpc": "2.0", "id": id, "result": result });
                self.send(&answer).await;
            }
        }
        None
    }

    fn decide(&mut self, question: &Value) -> Value {
        let method = question["method"].as_str().unwrap_or_default().to_owned();
        if method == "ping" {
            return json!({});
        }
        let params = question.get("params").cloned().unwrap_or_default();
        let answer = self.script.answer(&method, &params);
        let answer = answer.unwrap_or_else(|| {
            panic!("the server asked what nothing was scripted for, {method}: {params}")
        });
        self.asked.push(Asked { method, params });
        answer
    }
}
