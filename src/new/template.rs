//! The files of `templates/`, embedded and rendered.

use chrono::{Datelike as _, Utc};
use clap::ValueEnum as _;
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, Value, context};
use pymcp_app::{Error, Result};

use super::choices::{Choices, Part, TransportName};
use super::name::Name;
use super::origin::Origin;

/// A file to write.
#[derive(Debug)]
pub(super) struct Rendered {
    /// Below the server's folder, with `/`.
    pub(super) path: String,
    pub(super) text: String,
}

/// A file of a server that is written.
struct File {
    /// A template as well.
    path: &'static str,
    text: &'static str,
    /// The part that it belongs to.
    part: Option<Part>,
}

macro_rules! files {
    ($($part:ident: $path:literal from $from:literal,)*) => {
        &[$(File {
            path: $path,
            text: include_str!(concat!("../../templates/server/", $from)),
            part: $part,
        },)*]
    };
}

/// Of every server.
const ALL: Option<Part> = None;
const PYTHON: Option<Part> = Some(Part::Python);
const SEARCH: Option<Part> = Some(Part::Search);
const EGRESS: Option<Part> = Some(Part::Egress);
const KUBERNETES: Option<Part> = Some(Part::Kubernetes);

/// Every file that can be written, in the order of the listing.
const FILES: &[File] = files! {
    ALL: "Cargo.toml" from "Cargo.toml.jinja",
    ALL: "README.md" from "README.md.jinja",
    ALL: "AGENTS.md" from "AGENTS.md.jinja",
    ALL: "LICENSE" from "LICENSE.jinja",
    ALL: ".gitignore" from "gitignore.jinja",
    ALL: "src/main.rs" from "src/main.rs.jinja",
    ALL: "src/lib.rs" from "src/lib.rs.jinja",
    ALL: "src/server.rs" from "src/server.rs.jinja",
    ALL: "src/settings.rs" from "src/settings.rs.jinja",
    ALL: "src/tools/mod.rs" from "src/tools/mod.rs.jinja",
    ALL: "src/tools/greet.rs" from "src/tools/greet.rs.jinja",
    ALL: "src/resources/mod.rs" from "src/resources/mod.rs.jinja",
    ALL: "src/resources/about.rs" from "src/resources/about.rs.jinja",
    ALL: "src/prompts/mod.rs" from "src/prompts/mod.rs.jinja",
    ALL: "src/prompts/review.rs" from "src/prompts/review.rs.jinja",
    ALL: "tests/server.rs" from "tests/server.rs.jinja",
    ALL: "tests/program.rs" from "tests/program.rs.jinja",
    ALL: "tests/snapshots/tools/greet.json" from "tests/snapshots/greet.json.jinja",
    ALL: "tests/snapshots/resources/about.json" from "tests/snapshots/about.json.jinja",
    ALL: "tests/snapshots/prompts/review.json" from "tests/snapshots/review.json.jinja",
    ALL: "Dockerfile" from "Dockerfile.jinja",
    ALL: "compose.yaml" from "compose.yaml.jinja",
    ALL: "deploy/compose.yaml" from "deploy/compose.yaml.jinja",
    ALL: "deploy/{{ name }}.service" from "deploy/systemd.service.jinja",
    ALL: "deploy/nginx.conf" from "deploy/nginx.conf.jinja",
    ALL: ".github/workflows/ci.yml" from "github/ci.yml.jinja",
    PYTHON: "Cargo.lock" from "Cargo.lock.jinja",
    PYTHON: "src/tools/run_python.rs" from "src/tools/run_python.rs.jinja",
    PYTHON: "tests/snapshots/tools/run_python.json" from "tests/snapshots/run_python.json.jinja",
    SEARCH: "src/tools/web_search.rs" from "src/tools/web_search.rs.jinja",
    SEARCH: "tests/snapshots/tools/web_search.json" from "tests/snapshots/web_search.json.jinja",
    EGRESS: "src/tools/latest.rs" from "src/tools/latest.rs.jinja",
    EGRESS: "tests/snapshots/tools/latest.json" from "tests/snapshots/latest.json.jinja",
    KUBERNETES: "deploy/kubernetes.yaml" from "deploy/kubernetes.yaml.jinja",
};

/// The files of a server.
pub(super) fn server(name: &Name, choices: &Choices, origin: &Origin) -> Result<Vec<Rendered>> {
    let has = |part: Part| choices.parts.contains(&part);
    let features: Vec<_> = choices
        .parts
        .iter()
        .filter_map(|part| part.feature())
        .collect();
    let values = context! {
        name => &name.package,
        crate => name.library(),
        prefix => name.prefix(),
        title => name.title(),
        year => Utc::now().year(),
        rust => env!("CARGO_PKG_RUST_VERSION"),
        python => has(Part::Python),
        search => has(Part::Search),
        egress => has(Part::Egress),
        otlp => has(Part::Otlp),
        redis => has(Part::Redis),
        kubernetes => has(Part::Kubernetes),
        http => choices.transport == TransportName::Http,
        inside => origin.is_inside(),
        kit => origin.dependency("kit", false, &[]),
        app => origin.dependency("app", false, &features),
        egress_crate => origin.dependency("egress", true, &[]),
        python_crate => origin.dependency("python", false, &[]),
        search_crate => origin.dependency("search", true, &[]),
    };
    let files = FILES.iter().filter(|file| file.part.is_none_or(has));
    files
        .map(|file| {
            Ok(Rendered {
                path: render(file.path, &values)?,
                text: render(file.text, &values)?,
            })
        })
        .collect()
}

/// A template with its values in it.
pub(super) fn render(template: &str, values: &Value) -> Result<String> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder().keep_trailing_newline(true).build();
    environment.set_syntax(syntax.map_err(unusable)?);
    // A value that a template misspells is not left out in silence.
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let rendered = environment.render_str(template, values);
    rendered.map_err(unusable)
}

fn unusable(error: minijinja::Error) -> Error {
    Error::other(format!("A template cannot be used: {error:#}."))
}

/// What can be chosen, and what is written.
pub(super) fn listing() -> String {
    let mut text = String::from("Parts (--with):\n");
    for part in Part::value_variants() {
        if let Some(value) = part.to_possible_value() {
            let help = value
                .get_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            text += &format!("  {:<10} {help}\n", value.get_name());
        }
    }
    text += "\nTransports (--transport): stdio, http\n\nFiles:\n";
    for file in FILES {
        let path = file.path.replace("{{ name }}", "NAME");
        let part = file.part.and_then(|part| part.to_possible_value());
        text += &match part {
            Some(part) => format!("  {path}  (with {})\n", part.get_name()),
            None => format!("  {path}\n"),
        };
    }
    text
}
