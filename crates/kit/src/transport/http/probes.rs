//! `/healthz` and `/readyz`: what a load balancer or an orchestrator asks, before every check of a
//! request, since it calls by address and has no token.
//!
//! `/healthz` says that the process serves; `/readyz` that it takes traffic: `503` while it is
//! draining, or while a check says no. Another check is a line where the server is put together:
//! [`HttpConfig::readiness_check`](super::HttpConfig::readiness_check). Whoever reaches the server
//! reads the answer, so nothing secret belongs in it.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use http::header::CACHE_CONTROL;
use http::{HeaderValue, Method, StatusCode};
use hyper::{Request, Response};
use serde_json::{Map, Value, json};

use super::HttpConfig;
use super::body::Body;
use super::path::{HEALTH, READY};
use super::reply;

type Probe = Arc<dyn Fn() -> Check + Send + Sync>;

/// What `/readyz` asks; see [`HttpConfig::readiness_check`]. Default: nothing.
#[derive(Clone, Default)]
pub struct Readiness(Vec<(String, Probe)>);

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|(name, _)| name))
            .finish()
    }
}

/// What one check found.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    ready: bool,
    facts: Map<String, Value>,
}

impl Check {
    /// What is checked is there.
    pub fn ready() -> Self {
        Self {
            ready: true,
            facts: Map::new(),
        }
    }

    /// What is checked is not there, and why: a sentence that anyone may read.
    pub fn not_ready(why: impl Into<String>) -> Self {
        let not = Self {
            ready: false,
            facts: Map::new(),
        };
        not.fact("reason", why.into())
    }

    /// Adds a fact that replicas can be compared by, such as a fingerprint: a name and its value.
    #[must_use]
    pub fn fact(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.facts.insert(name.into(), value.into());
        self
    }
}

impl Readiness {
    /// A check of the same name is replaced.
    pub(super) fn add(&mut self, name: String, check: Probe) {
        self.0.retain(|(known, _)| *known != name);
        self.0.push((name, check));
    }

    /// What all of them say, and whether all say yes.
    fn ask(&self) -> (bool, Map<String, Value>) {
        let mut all = true;
        let mut checks = Map::new();
        for (name, check) in &self.0 {
            // The panic hook has logged where it happened.
            let found = catch_unwind(AssertUnwindSafe(|| check()))
                .unwrap_or_else(|_| Check::not_ready("The check failed."));
            all &= found.ready;
            let mut facts = found.facts;
            facts.insert("ready".into(), found.ready.into());
            checks.insert(name.clone(), facts.into());
        }
        (all, checks)
    }
}

#[derive(Debug, Clone, Copy)]
enum Asked {
    Health,
    Ready,
}

fn asked(path: &str) -> Option<Asked> {
    match path {
        HEALTH => Some(Asked::Health),
        READY => Some(Asked::Ready),
        _ => None,
    }
}

/// The answer to a probe, if the request is one; nothing of it is looked at but method and path.
pub(super) fn answer<B: http_body::Body>(
    request: &Request<B>,
    config: &HttpConfig,
    draining: bool,
) -> Option<Response<Body>> {
    let path = request.uri().path();
    let below = || config.path_prefix.strip(path).and_then(asked);
    let asked = asked(path).or_else(below)?;
    let mut response = match *request.method() {
        Method::GET | Method::HEAD => report(asked, config, draining),
        _ => reply::wrong_method(HeaderValue::from_static("GET, HEAD")).into(),
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if !request.body().is_end_stream() {
        // A body that nobody reads, of a length that nobody has checked.
        reply::close(&mut response);
    }
    Some(response)
}

fn report(asked: Asked, config: &HttpConfig, draining: bool) -> Response<Body> {
    let (status, said) = match asked {
        Asked::Health => (StatusCode::OK, json!({ "status": "ok" })),
        Asked::Ready => {
            let (ready, checks) = config.readiness.ask();
            let (status, word) = match (draining, ready) {
                (true, _) => (StatusCode::SERVICE_UNAVAILABLE, "draining"),
                (false, false) => (StatusCode::SERVICE_UNAVAILABLE, "not ready"),
                (false, true) => (StatusCode::OK, "ready"),
            };
            (status, json!({ "status": word, "checks": checks }))
        }
    };
    reply::json(status, Bytes::from(said.to_string()))
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt as _, Empty, Full};

    use super::*;

    fn get(path: &str) -> Request<Empty<Bytes>> {
        Request::get(path).body(Empty::new()).unwrap()
    }

    async fn read(response: Response<Body>) -> (u16, Value) {
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn it_is_ready_when_all_checks_say_so_and_it_is_not_draining() {
        let config = HttpConfig::default()
            .readiness_check("keys", || Check::ready().fact("fingerprint", "ab12"));
        let ready = answer(&get("/readyz"), &config, false).unwrap();
        let checks = json!({ "keys": { "fingerprint": "ab12", "ready": true } });
        let expected = json!({ "status": "ready", "checks": checks });
        assert_eq!(read(ready).await, (200, expected));
        let draining = answer(&get("/readyz"), &config, true).unwrap();
        let expected = json!({ "status": "draining", "checks": checks });
        assert_eq!(read(draining).await, (503, expected));

        let config = config
            .readiness_check("store", || Check::not_ready("The store does not answer."))
            .readiness_check("broken", || panic!("a test of what panics"));
        let (status, body) = read(answer(&get("/readyz"), &config, false).unwrap()).await;
        assert_eq!((status, &body["status"]), (503, &json!("not ready")));
        assert_eq!(body["checks"]["keys"]["ready"], true);
        let reason = "The store does not answer.";
        assert_eq!(
            body["checks"]["store"],
            json!({ "ready": false, "reason": reason })
        );
        assert_eq!(body["checks"]["broken"]["ready"], false);
        // The process serves all the same.
        let (status, body) = read(answer(&get("/healthz"), &config, true).unwrap()).await;
        assert_eq!((status, body), (200, json!({ "status": "ok" })));
    }

    #[test]
    fn only_its_paths_and_methods_are_a_probe_and_no_body_is_waited_for() {
        let config = HttpConfig {
            path_prefix: "/team-a".parse().unwrap(),
            ..HttpConfig::default()
        };
        for (path, is) in [
            ("/healthz", true),
            ("/readyz?x", true),
            ("/team-a/readyz", true),
            ("/healthz/", false),
            ("/team-b/healthz", false),
            ("/mcp", false),
        ] {
            let found = answer(&get(path), &config, false);
            assert_eq!(found.is_some(), is, "{path}");
            if let Some(found) = found {
                assert_eq!(found.headers()[CACHE_CONTROL], "no-store");
                assert!(!found.headers().contains_key("connection"));
            }
        }
        let posted = Request::post("/healthz").body(Full::new(Bytes::from_static(b"x")));
        let refused = answer(&posted.unwrap(), &config, false).unwrap();
        assert_eq!(refused.status(), 405);
        assert_eq!(refused.headers()["allow"], "GET, HEAD");
        assert_eq!(refused.headers()["connection"], "close");
    }
}
