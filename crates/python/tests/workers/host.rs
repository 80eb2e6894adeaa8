//! Functions of the host.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use libtest_mimic::Trial;
use pymcp_python::{HostError, HostFunctions, Kind, Limit, Pool, Request};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{code, config, text, trial};

#[derive(Deserialize, JsonSchema)]
struct Lookup {
    city: String,
    days: Option<u32>,
}

#[derive(Serialize, JsonSchema)]
struct Weather {
    city: String,
    degrees: Vec<f64>,
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Nothing {}

async fn weather(args: Lookup) -> Result<Weather, HostError> {
    if args.city == "Atlantis" {
        return Err("There is no weather for Atlantis.".into());
    }
    let days = args.days.unwrap_or(1) as usize;
    Ok(Weather {
        city: args.city,
        degrees: vec![21.5; days],
    })
}

fn request(source: &str) -> Request {
    let host = HostFunctions::new()
        .function("weather", weather)
        .and_then(|host| {
            host.function("forever", |_: Nothing| async {
                std::future::pending::<()>().await;
                Ok(())
            })
        })
        .and_then(|host| host.function("large", |_: Nothing| async { Ok("x".repeat(2 << 20)) }))
        .unwrap();
    Request {
        host: Arc::new(host),
        check_types: true,
        ..code(source)
    }
}

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("host_functions_are_called", called),
        trial("host_functions_are_typed", typed),
        trial("host_calls_are_counted", counted),
        trial("host_calls_are_timed", timed),
        trial("host_functions_are_described", described),
    ]
}

async fn called() {
    let pool = Pool::new(config());
    let source = "print('asking')\n[weather('Basel')['degrees'], weather(city='Ulm', days=2)]";
    let outcome = pool.run(request(source)).await.unwrap();
    assert_eq!(
        outcome.value.text.unwrap(),
        r#"[[21.5],{"city":"Ulm","degrees":[21.5,21.5]}]"#
    );
    assert_eq!(outcome.stdout.text, "asking\n");
    let source = "try:\n    weather('Atlantis')\nexcept RuntimeError as e:\n    r = str(e)\nr";
    assert_eq!(
        text(pool.run(request(source)).await),
        "There is no weather for Atlantis."
    );
    let source = "f = weather\n[f(city)['city'] for city in ['a', 'b']]";
    assert_eq!(text(pool.run(request(source)).await), r#"["a","b"]"#);
    for (source, expected) in [
        ("weather('a', 1, 2)", "takes 2 arguments"),
        ("weather()", "missing field"),
        ("weather('a', city='b')", "twice"),
        ("weather('a', country='b')", "no parameter"),
        ("weather(5)", "invalid type"),
        ("large()", "more than 1 MiB"),
        ("elsewhere()", "NameError"),
    ] {
        let unchecked = Request {
            check_types: false,
            ..request(source)
        };
        let failure = pool.run(unchecked).await.unwrap_err();
        assert_eq!(failure.kind, Kind::Exception, "{failure:?}");
        assert!(failure.message.contains(expected), "{source}: {failure}");
    }
}

async fn typed() {
    let pool = Pool::new(config());
    let failure = pool.run(request("weather(5)")).await.unwrap_err();
    assert_eq!(failure.kind, Kind::Exception, "{failure}");
    assert!(failure.message.contains("weather"), "{failure}");
    let failure = pool.run(request("weather()")).await.unwrap_err();
    assert_eq!(failure.kind, Kind::Types, "{failure}");
    assert!(failure.message.contains("missing-argument"), "{failure}");
    let failure = pool.run(request("elsewhere()")).await.unwrap_err();
    assert_eq!(failure.kind, Kind::Types);
}

async fn counted() {
    let pool = Pool::new(config());
    let mut request = request("for i in range(100):\n    weather('a')\n'done'");
    assert_eq!(text(pool.run(request.clone()).await), "done");
    request.code =
        "while True:\n    try:\n        weather('a')\n    except Exception:\n        pass".into();
    let failure = pool.run(request).await.unwrap_err();
    assert_eq!(failure.kind, Kind::Limit(Limit::HostCalls), "{failure:?}");
    assert!(failure.message.contains("100"), "{failure}");
}

async fn timed() {
    let dropped = Arc::new(AtomicUsize::new(0));
    struct Dropped(Arc<AtomicUsize>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let guard = Arc::clone(&dropped);
    let host = HostFunctions::new().function("forever", move |_: Nothing| {
        let guard = Dropped(Arc::clone(&guard));
        async move {
            std::future::pending::<()>().await;
            drop(guard);
            Ok(())
        }
    });
    let pool = Pool::new(config());
    let mut request = Request {
        host: Arc::new(host.unwrap()),
        ..code("print('waiting')\nforever()")
    };
    request.limits.time = Duration::from_millis(300);
    let failure = pool.run(request).await.unwrap_err();
    assert_eq!(failure.kind, Kind::Limit(Limit::Time));
    assert_eq!(failure.stdout.text, "waiting\n");
    assert_eq!(dropped.load(Ordering::SeqCst), 1);
}

async fn described() {
    let request = request("");
    assert_eq!(
        request.host.stubs().collect::<Vec<_>>(),
        [
            "def weather(city: str, days: int | None = None) -> dict[str, Any]: ...",
            "def forever() -> None: ...",
            "def large() -> str: ...",
        ]
    );
    for name in ["no good", "1st", "", "_hidden", "class"] {
        assert!(
            HostFunctions::new().function(name, weather).is_err(),
            "{name}"
        );
    }
    let twice = HostFunctions::new().function("a", weather).unwrap();
    assert!(twice.function("a", weather).is_err());
    #[derive(Deserialize, JsonSchema)]
    struct Odd {
        #[serde(rename = "from")]
        _from: String,
    }
    let odd = |_: Odd| async { Ok(()) };
    assert!(HostFunctions::new().function("f", odd).is_err());
    let no_struct = |_: String| async { Ok(()) };
    assert!(HostFunctions::new().function("f", no_struct).is_err());
}
