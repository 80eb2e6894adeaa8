//! What clap refuses, in one sentence where it is about a value.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use pymcp_kit::telemetry;

use crate::Error;
use crate::program::Program;
use crate::sources::Origins;

/// Characters of a value that is refused which its sentence repeats.
const MAX_SHOWN: usize = 200;

/// One sentence for a value that is not allowed, without the value where it may hold a secret; what clap says for
/// everything else.
pub(crate) fn refusal(error: &clap::Error, program: &Program, origins: &Origins) -> Error {
    match error.kind() {
        ErrorKind::ValueValidation | ErrorKind::InvalidValue => {
            let flag = flag_of(text(error, ContextKind::InvalidArg).unwrap_or_default());
            let sentence = value_refused(error, program, &origins.name(program, flag), flag);
            let place = origins.place(flag);
            Error::setting(place.map_or(sentence.clone(), |place| format!("{place}: {sentence}")))
        }
        ErrorKind::MissingRequiredArgument if let Some(missing) = missing(error) => {
            let named: Vec<_> = missing
                .iter()
                .map(|flag| origins.name(program, flag))
                .collect();
            Error::setting(format!("{} must be set.", named.join(" and ")))
        }
        _ => {
            telemetry::say(error.render().to_string().trim_end());
            Error::printed(u8::try_from(error.exit_code()).unwrap_or(Error::USAGE))
        }
    }
}

fn value_refused(error: &clap::Error, program: &Program, name: &str, flag: &str) -> String {
    let allowed = match error.get(ContextKind::ValidValue) {
        // The flag stands alone.
        Some(ContextValue::Strings(values)) if values.is_empty() => {
            return format!("{name} needs a value.");
        }
        Some(ContextValue::Strings(values)) => format!("one of {}", values.join(", ")),
        _ => std::error::Error::source(error)
            .map(ToString::to_string)
            .unwrap_or_default(),
    };
    let value = text(error, ContextKind::InvalidValue).unwrap_or_default();
    match program
        .setting(flag)
        .is_some_and(|setting| setting.is_secret())
    {
        true => format!("{name} must be {allowed}."),
        false => format!("{name} is '{}', but must be {allowed}.", shown(value)),
    }
}

/// The flags that are required and not given; none if something else is missing too.
fn missing(error: &clap::Error) -> Option<Vec<&str>> {
    match error.get(ContextKind::InvalidArg)? {
        ContextValue::Strings(arguments) => arguments
            .iter()
            .map(|argument| argument.starts_with("--").then(|| flag_of(argument)))
            .collect(),
        _ => None,
    }
}

/// The flag of an argument as clap shows it: `port` of `--port <PORT>`.
fn flag_of(argument: &str) -> &str {
    let flag = argument.split([' ', '[', '=']).next().unwrap_or_default();
    flag.trim_start_matches('-')
}

fn text(error: &clap::Error, kind: ContextKind) -> Option<&str> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    }
}

/// A value as it can stand within a sentence on a terminal.
fn shown(value: &str) -> String {
    let escaped = |c: char| match c.is_control() {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    value.chars().take(MAX_SHOWN).map(escaped).collect()
}
