//! Shows: a prompt whose completion of one argument depends on the other.

use pymcp_kit::{Completion, CompletionRequest, Ctx, Prompt, Result};
use schemars::JsonSchema;
use serde::Deserialize;

use super::icons;

const DEPARTMENTS: [(&str, &[&str]); 3] = [
    ("engineering", &["Ada", "Grace", "Linus"]),
    ("sales", &["Dale", "Estée", "Mary"]),
    ("support", &["Adele", "Mary", "Roy"]),
];

/// Who it is for.
#[derive(Debug, Deserialize, JsonSchema)]
struct Args {
    /// The department.
    department: String,
    /// The colleague; those of the department are suggested.
    name: String,
    /// What it is about.
    occasion: Option<String>,
}

/// The prompt, as clients see it.
pub(crate) fn prompt() -> Prompt {
    Prompt::new("thank_colleague", thank)
        .title("Thank a colleague")
        .description("Asks for a note of thanks to a colleague.")
        .icons([icons::disc("orchid")])
        .complete("department", complete_department)
        .complete("name", complete_name)
}

async fn thank(_: Ctx, args: Args) -> Result<String> {
    let occasion = args.occasion.as_deref().unwrap_or("all the help");
    Ok(format!(
        "Write three sentences of thanks for {occasion} to {} in {}.",
        args.name, args.department
    ))
}

async fn complete_department(_: Ctx, typed: CompletionRequest) -> Result<Completion> {
    let departments = DEPARTMENTS.iter().map(|(department, _)| department);
    Ok(Completion::matching(&typed.value, departments))
}

async fn complete_name(_: Ctx, typed: CompletionRequest) -> Result<Completion> {
    let department = typed.arguments.get("department");
    let mut names: Vec<&str> = DEPARTMENTS
        .iter()
        .filter(|(known, _)| department.is_none_or(|department| department == known))
        .flat_map(|(_, names)| *names)
        .copied()
        .collect();
    // Somebody who is in several departments is suggested once.
    names.sort_unstable();
    names.dedup();
    Ok(Completion::matching(&typed.value, names))
}
