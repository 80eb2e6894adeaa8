//! Effects that were declared and not used.

use std::fmt;
use std::sync::Arc;

use crate::component::{Prompt, Resource, ResourceTemplate, Tool};
use crate::core::Server;
use crate::effects::Effect;
use crate::label::Label;
use crate::protocol::Kind;

/// An effect that a component declares and did not use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnusedEffect {
    /// The kind of the component.
    pub kind: Kind,
    /// Its name, or its URI.
    pub name: String,
    /// What it declares.
    pub effect: Effect,
}

impl fmt::Display for UnusedEffect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "The {} '{}' declares {} and did not use it.",
            self.kind, self.name, self.effect
        )
    }
}

/// The effects that components of this server declare and have not used until now, in the order of the components. At the end
/// of a test that runs all that they can do, none should be left: what is not needed should not be declared.
///
/// Used is what a door was opened for ([`Doors`](crate::Doors), [`Ctx::elicit`](crate::Ctx::elicit) and the like), also
/// while the state was made ([`Tool::with_doors`]). What goes another way says so with
/// [`Ctx::require`](crate::Ctx::require).
///
/// ```
/// use pymcp_kit::testing::{self, Client};
/// use pymcp_kit::{Ctx, Effect, NoArgs, Result, Server, Tool};
/// use serde_json::json;
///
/// async fn roll(ctx: Ctx, _: NoArgs) -> Result<u8> {
///     let mut die = [0];
///     ctx.random(&mut die)?;
///     Ok(die[0] % 6 + 1)
/// }
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
/// # runtime.block_on(async {
/// let roll = Tool::new("roll", roll)
///     .description("Rolls a die.")
///     .effects([Effect::Random, Effect::Clock]);
/// let server = Server::builder("dice", "1.0.0").tool(roll).build().unwrap();
/// Client::modern(&server).call("roll", json!({})).await;
/// let unused: Vec<_> = testing::unused_effects(&server).iter().map(|one| one.to_string()).collect();
/// assert_eq!(unused, ["The tool 'roll' declares clock and did not use it."]);
/// # });
/// ```
pub fn unused_effects(server: &Server) -> Vec<UnusedEffect> {
    let registry = server.registry();
    let tools = registry.tools().map(|Tool { label, .. }| label);
    let resources = registry.resources().map(|Resource { label, .. }| label);
    let templates = registry
        .templates()
        .map(|ResourceTemplate { label, .. }| label);
    let prompts = registry.prompts().map(|Prompt { label, .. }| label);
    let labels = tools.chain(resources).chain(templates).chain(prompts);
    labels.flat_map(unused).collect()
}

fn unused(label: &Arc<Label>) -> impl Iterator<Item = UnusedEffect> {
    let declared = label.declared().into_iter();
    declared
        .flat_map(|declared| declared.unused())
        .map(|effect| UnusedEffect {
            kind: label.kind,
            name: label.name.to_string(),
            effect: effect.clone(),
        })
}
