//! What of a program is a feature of this crate, and can be left out where it is built. Who asks for a verb or a setting
//! that is not there reads which feature has it.
//!
//! A feature gates whole modules: their verbs in `verbs`, their settings in `settings`. What is there without features is
//! what a server needs that is deployed: `serve`, `health`, `version`, its keys, tokens, audit log and lock.

/// A part of the program.
struct Feature {
    name: &'static str,
    is_on: bool,
    verbs: &'static [&'static str],
    /// The flags of its settings, without dashes.
    flags: &'static [&'static str],
}

/// Those that have verbs or settings of their own; `http2` has none. Without `page` the flag `--no-page` is still taken, since
/// it is kept to.
const FEATURES: [Feature; 5] = [
    Feature {
        name: "jwt",
        is_on: cfg!(feature = "jwt"),
        verbs: &[],
        flags: &[
            "auth-issuer",
            "auth-audience",
            "auth-client-ids",
            "auth-jwks",
            "auth-algorithms",
            "auth-skew",
            "auth-required-scopes",
        ],
    },
    Feature {
        name: "otlp",
        is_on: cfg!(feature = "otlp"),
        verbs: &[],
        flags: &["otlp-endpoint", "otlp-headers", "otlp-service-name"],
    },
    Feature {
        name: "redis",
        is_on: cfg!(feature = "redis"),
        verbs: &[],
        flags: &["store", "store-prefix"],
    },
    Feature {
        name: "tls",
        is_on: cfg!(feature = "tls"),
        verbs: &[],
        flags: &["tls-cert", "tls-key"],
    },
    Feature {
        name: "verbs",
        is_on: cfg!(feature = "verbs"),
        verbs: &[
            "list",
            "call",
            "read",
            "prompt",
            "complete",
            "inspect",
            "review",
            "ping",
            "watch",
            "shell",
            "doctor",
            "completions",
            "install",
            "man",
            "uninstall",
            "verify",
        ],
        flags: &[],
    },
];

/// The feature that has this verb, if it is not in this build.
pub(crate) fn of_verb(name: &str) -> Option<&'static str> {
    lacking(|feature| feature.verbs.contains(&name))
}

/// The feature that has the setting of this flag, without dashes, if it is not in this build.
pub(crate) fn of_flag(flag: &str) -> Option<&'static str> {
    lacking(|feature| feature.flags.contains(&flag))
}

/// The predicate of a sentence about something of a feature: "call belongs to the feature verbs, …".
pub(crate) fn left_out(feature: &str, program: &str) -> String {
    format!("belongs to the feature {feature}, which this {program} was built without")
}

fn lacking(has: impl Fn(&Feature) -> bool) -> Option<&'static str> {
    let mut features = FEATURES.iter().filter(|feature| !feature.is_on);
    features
        .find(|feature| has(feature))
        .map(|feature| feature.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{App, verbs};

    #[test]
    fn what_a_feature_has_is_there_with_it_and_else_said_to_be_missing() {
        let program = App::new("zebra-2", "1.0.0").program();
        for Feature {
            name,
            is_on,
            verbs,
            flags,
        } in FEATURES
        {
            let missing = (!is_on).then_some(name);
            for verb in verbs {
                assert_eq!(verbs::named(verb).is_some(), is_on, "{verb}");
                assert_eq!(of_verb(verb), missing, "{verb}");
            }
            for flag in flags {
                assert_eq!(program.setting(flag).is_some(), is_on, "{flag}");
                assert_eq!(of_flag(flag), missing, "{flag}");
            }
        }
        assert_eq!((of_verb("serve"), of_flag("port")), (None, None));
    }

    #[cfg(feature = "verbs")]
    #[test]
    fn every_verb_of_the_feature_is_named() {
        let feature = FEATURES.iter().find(|feature| feature.name == "verbs");
        let named = feature.unwrap().verbs;
        let there: Vec<_> = verbs::OF_FEATURE.iter().map(|verb| verb.name()).collect();
        assert_eq!(named, there);
    }
}
