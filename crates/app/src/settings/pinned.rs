//! Which settings a lock of a whole server (`full/1`) pins, and their resolved values.
//!
//! Every setting stands in one of two lists: what callers may do or how much is pinned, what is about this machine alone
//! is not. A new setting belongs into one of them; a test holds that. Settings of an author's own are pinned, unless
//! [`App::unpinned`](crate::App::unpinned) says otherwise.

use clap::ArgMatches;
use serde_json::{Value, json};
use unicode_normalization::UnicodeNormalization as _;

use super::limits::AtMost;
use super::value::{boolean, rate, tool_budget};
use crate::program::{Kind, Program, Setting};

/// What is written for a value that must not be shown, or that says nothing but that it is there.
const IS_SET: &str = "(set)";

/// How texts that mean the same value become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// The text without spaces around it; of names in any case and aliases the one that the help has.
    Text,
    /// A whole number, or off.
    Number,
    /// true or false.
    Boolean,
    /// Words with commas between, whose order means nothing.
    Set,
    /// A rate, or off.
    Rate,
    /// Tools with their rates, in any order.
    Budgets,
    /// Only whether it is set.
    Given,
}

/// What callers may do, or how much, with the form of its values.
const PINNED: [(&str, Form); 35] = [
    ("transport", Form::Text),
    ("confine", Form::Text),
    ("profile", Form::Text),
    ("enable", Form::Set),
    ("disable", Form::Set),
    ("cors-origins", Form::Set),
    ("allowed-hosts", Form::Set),
    ("allow-unauthenticated", Form::Boolean),
    ("trusted-proxies", Form::Set),
    ("tls-cert", Form::Given),
    ("no-page", Form::Boolean),
    ("auth", Form::Text),
    ("public-url", Form::Text),
    ("auth-scopes-supported", Form::Set),
    ("auth-issuer", Form::Text),
    ("auth-audience", Form::Set),
    ("auth-client-ids", Form::Set),
    ("auth-jwks", Form::Text),
    ("auth-algorithms", Form::Set),
    ("auth-skew", Form::Number),
    ("auth-required-scopes", Form::Set),
    ("request-timeout", Form::Number),
    ("ask-timeout", Form::Number),
    ("response-cache-ttl", Form::Number),
    ("address-rate", Form::Rate),
    ("principal-rate", Form::Rate),
    ("session-rate", Form::Rate),
    ("budget", Form::Rate),
    ("tool-budget", Form::Budgets),
    ("concurrency", Form::Number),
    ("total-concurrency", Form::Number),
    ("audit", Form::Given),
    ("audit-failure", Form::Text),
    ("audit-sync", Form::Boolean),
    ("state-keys", Form::Given),
];

/// What is about this machine, or about the lock itself: addresses, paths, logs, how it ends.
const OF_THE_MACHINE: [&str; 20] = [
    "host",
    "port",
    "unix-socket",
    "path-prefix",
    "tls-key",
    "auth-tokens",
    "drain",
    "drain-delay",
    "log-level",
    "log-format",
    "metrics-address",
    "otlp-endpoint",
    "otlp-headers",
    "otlp-service-name",
    "audit-key",
    "audit-max-bytes",
    "locked",
    "trust",
    "store",
    "store-prefix",
];

/// The resolved values of all settings that are pinned, by their flags, as far as they are set: of every program, and of
/// its author's own but `unpinned`. No secret is in them.
pub(crate) fn resolved(
    program: &Program,
    unpinned: &[String],
    matches: &ArgMatches,
) -> Vec<(String, Value)> {
    let settings = program.settings.iter();
    let pinned = settings.filter_map(|setting| {
        let flag = setting.flag();
        let shared = PINNED.iter().find(|(pinned, _)| *pinned == flag);
        let is_own = !OF_THE_MACHINE.contains(&flag) && !unpinned.iter().any(|own| own == flag);
        let form = match shared {
            Some((_, form)) => *form,
            None if is_own => Form::Text,
            None => return None,
        };
        let form = if setting.is_secret() {
            Form::Given
        } else {
            form
        };
        let value = value(form, setting, matches)?;
        Some((flag.to_owned(), value))
    });
    pinned.collect()
}

/// The value of a setting; none if it is not set.
fn value(form: Form, setting: &Setting, matches: &ArgMatches) -> Option<Value> {
    match setting.kind {
        Kind::Switch => return Some(json!(matches.get_flag(&setting.id))),
        Kind::Count => return Some(json!(matches.get_count(&setting.id))),
        Kind::One | Kind::Many => {}
    }
    let raw = matches.try_get_raw(&setting.id).ok()??;
    // A manifest has the normal form alone, and a path that is a setting may have another.
    let texts = raw.map(|text| text.to_string_lossy().trim().nfc().collect::<String>());
    let texts: Vec<_> = texts.filter(|text| !text.is_empty()).collect();
    let first = texts.first()?;
    let named = |text: &String| named(setting, text);
    Some(match form {
        Form::Given => json!(IS_SET),
        Form::Text if setting.kind == Kind::One => json!(named(first)),
        Form::Text => texts.iter().map(named).collect(),
        Form::Number => {
            let number = first.parse::<u64>();
            number.map_or_else(|_| json!(first.to_lowercase()), Value::from)
        }
        Form::Boolean => boolean(first).map_or(json!(first), Value::from),
        Form::Rate => match rate(first) {
            Ok(AtMost(Some(rate))) => json!(rate.to_string()),
            Ok(AtMost(None)) => json!("off"),
            Err(_) => json!(first),
        },
        Form::Set => sorted(texts.iter().flat_map(|text| text.split(',')).map(str::trim)),
        Form::Budgets => {
            let budgets = texts.iter().map(|text| match tool_budget(text) {
                Ok((name, rate)) => format!("{name}={rate}"),
                Err(_) => text.clone(),
            });
            sorted(budgets)
        }
    })
}

/// The name of a value that has one, as the help has it.
fn named(setting: &Setting, text: &str) -> String {
    let mut names = setting.names.iter();
    let name = names.find(|name| name.matches(text, true));
    name.map_or_else(|| text.to_owned(), |name| name.get_name().to_owned())
}

fn sorted<T: Into<String>>(words: impl Iterator<Item = T>) -> Value {
    let words = words
        .map(Into::into)
        .filter(|word: &String| !word.is_empty());
    let words: std::collections::BTreeSet<String> = words.collect();
    words.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{App, features};

    /// What a program with this author's settings pins with these flags.
    fn pinned(flags: &[&str]) -> BTreeMap<String, Value> {
        #[derive(Debug, clap::Args)]
        struct Own {
            #[arg(long, default_value_t = 10)]
            stock: u32,
            #[arg(long)]
            herd: Option<String>,
            #[arg(long, hide_env_values = true)]
            key: Option<String>,
            #[arg(long)]
            loud: bool,
            #[arg(long)]
            room: Vec<String>,
        }
        let app = App::new("zebra-2", "1.0.0")
            .settings::<Own>()
            .unpinned("herd");
        app.pinned_for_test(flags).into_iter().collect()
    }

    #[test]
    fn every_setting_is_pinned_or_about_the_machine() {
        let program = App::new("zebra-2", "1.0.0").program();
        for setting in program.settings() {
            let is_pinned = PINNED.iter().any(|(flag, _)| *flag == setting.flag());
            let is_other = OF_THE_MACHINE.contains(&setting.flag());
            assert!(
                is_pinned != is_other,
                "--{} must be in one of the lists of settings/pinned.rs: PINNED if it changes what callers may do or \
                 how much, OF_THE_MACHINE if not",
                setting.flag()
            );
        }
        for flag in PINNED.iter().map(|(flag, _)| flag).chain(&OF_THE_MACHINE) {
            let is_known = program.setting(flag).is_some() || features::of_flag(flag).is_some();
            assert!(is_known, "--{flag} is no setting");
        }
    }

    #[test]
    fn what_means_the_same_is_the_same() {
        let plain = pinned(&[]);
        assert_eq!(plain["request-timeout"], 30);
        assert_eq!(plain["session-rate"], "600/min");
        assert_eq!(plain["stock"], "10");
        assert_eq!(plain["loud"], false);
        assert!(!plain.contains_key("port") && !plain.contains_key("auth-issuer"));
        for same in [
            &["--transport=STDIO"][..],
            &["--request-timeout= 030 "],
            &["--allow-unauthenticated=off"],
            &["--budget=OFF", "--concurrency=OFF"],
            &["--cors-origins= loopback,"],
            #[cfg(feature = "jwt")]
            &["--auth-algorithms=ES256, RS256"],
            &["--port=1", "--host=::1", "--log-level=debug"],
            &["--herd=/elsewhere"],
        ] {
            assert_eq!(pinned(same), plain, "{same:?}");
        }
        let http = pinned(&["--transport=streamable-http"]);
        assert_eq!(http["transport"], "http");
        let budgets = ["--tool-budget=b=1/s, a = 2/s", "--tool-budget=c=3/s"];
        assert_eq!(
            pinned(&budgets)["tool-budget"],
            json!(["a=2/s", "b=1/s", "c=3/s"])
        );
    }

    #[test]
    fn what_is_another_value_differs() {
        let plain = pinned(&[]);
        for (flags, flag, value) in [
            (&["--request-timeout=31"][..], "request-timeout", json!(31)),
            (&["--budget=60/min"], "budget", json!("60/min")),
            #[cfg(feature = "jwt")]
            (&["--auth-audience=b,a"], "auth-audience", json!(["a", "b"])),
            (
                &["--allow-unauthenticated"],
                "allow-unauthenticated",
                json!(true),
            ),
            (&["--stock=11"], "stock", json!("11")),
            (&["--room=a", "--room=b"], "room", json!(["a", "b"])),
            (&["--audit=/var/log/a"], "audit", json!(IS_SET)),
            (&["--key=hunter22"], "key", json!(IS_SET)),
        ] {
            let mut other = pinned(flags);
            assert_eq!(other.remove(flag), Some(value), "{flags:?}");
            let mut rest = plain.clone();
            rest.remove(flag);
            assert_eq!(other, rest, "{flags:?}");
        }
    }
}
