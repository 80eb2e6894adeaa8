//! This machine: settings, the port, files that others can read, the clock. `doctor/machine.rs` looks at it.

use super::super::finding::{Rule, Severity};

pub(crate) const SETTING: Rule = Rule {
    id: "setting-refused",
    severity: Severity::Error,
    about: "A setting cannot be used.",
    breaks: "Everybody: the server does not start.",
    mend: "Correct the setting that the sentence names.",
};
pub(crate) const SERVER: Rule = Rule {
    id: "server-refused",
    severity: Severity::Error,
    about: "The server cannot be built from its settings.",
    breaks: "Everybody: the server does not start.",
    mend: "Do what the sentence says.",
};
pub(crate) const PORT: Rule = Rule {
    id: "port-taken",
    severity: Severity::Warning,
    about: "Somebody listens on the port already.",
    breaks: "The server does not start, unless it is the server itself that listens.",
    mend: "End what listens there, or take another port; --port 0 takes a free one.",
};
pub(crate) const OPEN: Rule = Rule {
    id: "file-open",
    severity: Severity::Error,
    about: "A file with secrets can be read by others.",
    breaks: "Everybody: whoever has a key or token can be anybody.",
    mend: "Take the file away from others: chmod 600 FILE. Make new keys and tokens where others may have read them.",
};
pub(crate) const KEYS: Rule = Rule {
    id: "keys-missing",
    severity: Severity::Warning,
    about: "Other machines can reach the server, and its keys are made up at each start.",
    breaks: "Clients lose their sessions when the server restarts, and other replicas do not know them.",
    mend: "Write a file of keys with \"keys new FILE\", and name it with --state-keys.",
};
pub(crate) const UNAUTHENTICATED: Rule = Rule {
    id: "unauthenticated",
    severity: Severity::Error,
    about: "Other machines can reach the server, and nobody has to authenticate.",
    breaks: "Everybody: the server does not start, or whoever reaches it can call tools.",
    mend: "Set --auth, or listen on localhost.",
};
pub(crate) const ORIGINS: Rule = Rule {
    id: "cors-origins-any",
    severity: Severity::Warning,
    about: "Every web page may call the server.",
    breaks: "Every user: any page that is open in a browser can call tools.",
    mend: "Name the origins in --cors-origins.",
};
pub(crate) const CLOCK: Rule = Rule {
    id: "clock-skew",
    severity: Severity::Warning,
    about: "The clocks of this machine and of the server differ.",
    breaks: "Tokens count as expired, or as not valid yet.",
    mend: "Let both machines set their clocks by NTP.",
};

pub(crate) const CERTIFICATE_ENDED: Rule = Rule {
    id: "certificate-ended",
    severity: Severity::Error,
    about: "The TLS certificate of the server has ended.",
    breaks: "Everybody: clients refuse the connection.",
    mend: "Have the certificate renewed; the server reads the files again by itself.",
};
pub(crate) const CERTIFICATE: Rule = Rule {
    id: "certificate-ends-soon",
    severity: Severity::Warning,
    about: "The TLS certificate of the server ends within 14 days.",
    breaks: "Everybody, from that day on: clients refuse the connection.",
    mend: "See why it was not renewed yet, and renew it; the server reads the files again by itself.",
};

pub(crate) const RULES: &[&Rule] = &[
    &SETTING,
    &SERVER,
    &PORT,
    &OPEN,
    &KEYS,
    &UNAUTHENTICATED,
    &ORIGINS,
    &CLOCK,
    &CERTIFICATE_ENDED,
    &CERTIFICATE,
];
