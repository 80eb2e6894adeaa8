//! The page at `/`, and at the endpoint for browsers: what this server is, how a client connects to it, what it lists.
//!
//! | file | what it does |
//! | --- | --- |
//! | `page.html`, `page.css`, `page.js` | the page itself |
//! | `connect.html` | its part that depends on the request: the address under which the server is reached |
//! | `about`, `section`, `item` | what is said of the server, of each kind of components, of each component |
//! | `schema` | JSON Schemas in words |
//! | `limits` | the limits that a caller meets |
//! | `snippets` | what is written into a client |
//! | `escape` | text, so that nothing of it is markup or hidden |
//!
//! It is one document that loads nothing and needs no script. It is written at start, and again when it is asked for and
//! the components are others; a request costs its copy and the part about connecting. Where clients authenticate it says
//! nothing of components and instructions. Whoever reaches the server reads it, so nothing secret belongs in it.

mod about;
mod escape;
mod item;
mod limits;
mod schema;
mod section;
pub(crate) mod snippets;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, Weak};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior, Value, context};
use pymcp_kit::Server;
use pymcp_kit::component::Registry;
use pymcp_kit::protocol::{LEGACY_VERSIONS, MODERN_VERSION};
use pymcp_kit::transport::http::{
    Bytes, ConnectionInfo, Endpoints, HttpConfig, Request, Response, StatusCode,
};
use ring::digest::{Context, SHA256, digest};

use crate::{Error, Result};

use self::about::About;
use self::item::Text;
use self::limits::Limit;
use self::snippets::Target;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Stands for the part about connecting in the text of the page, where no text can have it.
const CONNECT: &str = "\0";

/// Serves the page of this server, which is configured completely.
///
/// # Errors
/// A template is broken, which a test would have found.
pub(crate) fn serve(config: HttpConfig, server: &Server) -> Result<HttpConfig> {
    let page = Arc::new(Page::new(&config, server)?);
    Ok(config.page(move |request| {
        let response = page.answer(&request);
        async move { response }
    }))
}

struct Page {
    server: Server,
    about: About,
    templates: Environment<'static>,
    sse: bool,
    authenticates: bool,
    limits: Vec<Limit>,
    /// The policy of its headers.
    policy: String,
    written: Mutex<Arc<Written>>,
    /// Held by the one who writes it anew.
    writing: Mutex<()>,
}

/// The page as it was written last.
struct Written {
    /// Of which components; they need not live as long.
    of: Weak<Registry>,
    before: String,
    after: String,
    /// Of both.
    digest: Context,
}

impl Page {
    fn new(config: &HttpConfig, server: &Server) -> Result<Self> {
        let mut templates = Environment::new();
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        templates.set_formatter(escape::formatter);
        // Tags leave no blank lines behind.
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build();
        templates.set_syntax(syntax.map_err(unusable)?);
        for (name, text) in [
            ("page", include_str!("page.html")),
            ("connect", include_str!("connect.html")),
        ] {
            templates.add_template(name, text).map_err(unusable)?;
        }
        let registry = server.components().enabled();
        let authenticates = config.auth.authenticator.is_some();
        let mut page = Self {
            about: About::of(server.info()),
            templates,
            sse: config.endpoints == Endpoints::LegacySse,
            authenticates,
            limits: limits::limits(server, config),
            policy: policy(),
            written: Mutex::new(Arc::new(Written::new(&registry, ""))),
            writing: Mutex::new(()),
            server: server.clone(),
        };
        let written = Arc::new(page.write(&registry).map_err(unusable)?);
        page.written = Mutex::new(written);
        Ok(page)
    }

    /// Writes all that does not depend on the request.
    fn write(&self, registry: &Arc<Registry>) -> Result<Written, minijinja::Error> {
        let public = !self.authenticates;
        let instructions = self.server.instructions().filter(|_| public);
        let (sections, limits) = match public {
            true => (section::sections(registry), &*self.limits),
            false => (Vec::new(), &[][..]),
        };
        let text = self.templates.get_template("page")?.render(context! {
            style => Value::from_safe_string(STYLE.to_owned()),
            script => Value::from_safe_string(SCRIPT.to_owned()),
            connect => Value::from_safe_string(CONNECT.to_owned()),
            about => Value::from(Serde(&self.about)),
            public,
            instructions => Value::from(Serde(Text::of(instructions.unwrap_or_default()))),
            sections => Value::from(Serde(sections)),
            limits => Value::from(Serde(limits)),
        })?;
        Ok(Written::new(registry, &text))
    }

    /// The page of the components that are there now; while somebody else writes it, the one before.
    fn current(&self) -> Arc<Written> {
        let registry = self.server.components().enabled();
        let last = Arc::clone(&lock(&self.written));
        if self.authenticates || std::ptr::eq(last.of.as_ptr(), Arc::as_ptr(&registry)) {
            return last;
        }
        let _turn = match self.writing.try_lock() {
            Ok(turn) => turn,
            Err(TryLockError::Poisoned(turn)) => turn.into_inner(),
            Err(TryLockError::WouldBlock) => return last,
        };
        match self.write(&registry) {
            Ok(written) => {
                let written = Arc::new(written);
                *lock(&self.written) = Arc::clone(&written);
                written
            }
            Err(error) => {
                tracing::error!(%error, "the page cannot be written");
                last
            }
        }
    }

    /// The part about connecting, for a client that writes the endpoint like this.
    fn connect(&self, from: &ConnectionInfo) -> Result<String, minijinja::Error> {
        let url = from.endpoint.as_deref().unwrap_or_default();
        // A person has to write a token only where a client cannot fetch one by itself.
        let target = Target {
            name: &self.server.info().name,
            url,
            sse: self.sse,
            token: self.authenticates && from.metadata.is_none(),
        };
        let endpoint = if self.sse { "/sse" } else { "/mcp" };
        let mut revisions = LEGACY_VERSIONS.to_vec();
        if !self.sse {
            revisions.insert(0, MODERN_VERSION);
        }
        self.templates.get_template("connect")?.render(context! {
            url,
            root => url.strip_suffix(endpoint).unwrap_or_default(),
            sse => self.sse,
            revisions,
            authenticates => self.authenticates,
            metadata => from.metadata.as_deref().unwrap_or_default(),
            snippets => Value::from(Serde(snippets::all(&target))),
        })
    }

    fn answer(&self, request: &Request<Bytes>) -> Response<Bytes> {
        // The transport puts it there.
        let from = request.extensions().get::<ConnectionInfo>();
        let connect = match from.map(|from| self.connect(from)) {
            Some(Ok(connect)) => connect,
            failed => {
                tracing::error!(?failed, "the page cannot be written");
                return empty(StatusCode::INTERNAL_SERVER_ERROR);
            }
        };
        let written = self.current();
        let mut digest = written.digest.clone();
        digest.update(connect.as_bytes());
        let tag = format!(
            "\"{}\"",
            URL_SAFE_NO_PAD.encode(&digest.finish().as_ref()[..16])
        );
        let known = request.headers().get_all("if-none-match").iter();
        let is_known = known
            .filter_map(|list| list.to_str().ok())
            .any(|list| names(list, &tag));
        let response = Response::builder()
            .header("etag", tag)
            // It may change at any time, and is asked for again at little cost.
            .header("cache-control", "no-cache")
            .header("vary", "Accept")
            .header("content-security-policy", &self.policy)
            .header("x-content-type-options", "nosniff")
            .header("x-frame-options", "DENY")
            .header("referrer-policy", "no-referrer")
            .header("cross-origin-opener-policy", "same-origin")
            .header("cross-origin-resource-policy", "same-origin");
        let response = match is_known {
            true => response.status(StatusCode::NOT_MODIFIED).body(Bytes::new()),
            false => {
                let text = [&*written.before, &*connect, &*written.after].concat();
                let response = response.header("content-type", "text/html; charset=utf-8");
                response.body(Bytes::from(text))
            }
        };
        // Each value is plain ASCII.
        response.unwrap_or_else(|_| empty(StatusCode::INTERNAL_SERVER_ERROR))
    }
}

impl Written {
    fn new(registry: &Arc<Registry>, text: &str) -> Self {
        let (before, after) = text.split_once(CONNECT).unwrap_or((text, ""));
        let mut digest = Context::new(&SHA256);
        digest.update(text.as_bytes());
        Self {
            of: Arc::downgrade(registry),
            before: before.to_owned(),
            after: after.to_owned(),
            digest,
        }
    }
}

/// What a browser may do with the page: show it, with its own style, its own script and pictures that are in it.
fn policy() -> String {
    let hash = |text: &str| STANDARD.encode(digest(&SHA256, text.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; img-src data:; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}

/// Whether `If-None-Match` names this tag (RFC 9110 §13.1.2: weak ones count).
fn names(list: &str, tag: &str) -> bool {
    // A comma is in none of ours.
    let mut tags = list.split(',').map(str::trim);
    tags.any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
}

fn empty(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that is done under it can panic half-way.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn unusable(error: minijinja::Error) -> Error {
    Error::other(format!(
        "The page of the server cannot be written: {error:#}."
    ))
}
