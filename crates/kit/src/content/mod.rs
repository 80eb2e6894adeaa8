//! Images, audio and files, made of bytes or read from a folder.
//!
//! Each of them is a result of a handler (of a tool, a resource or a prompt), a part of a
//! [`ToolResult`], and the content of a prompt's message. Nobody has to encode
//! anything.
//!
//! ```
//! use pymcp_kit::model::{PromptMessage, Role};
//! use pymcp_kit::{Ctx, Image, NoArgs, Result, ToolResult};
//!
//! const DOT: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
//!
//! async fn dot(_: Ctx, _: NoArgs) -> Result<Image> {
//!     Ok(Image::png(DOT))
//! }
//!
//! async fn explained(_: Ctx, _: NoArgs) -> Result<ToolResult> {
//!     Ok(ToolResult::text("A dot:").and(Image::png(DOT)))
//! }
//!
//! async fn prompt(_: Ctx, _: NoArgs) -> Result<Vec<PromptMessage>> {
//!     Ok(vec![
//!         PromptMessage::new_text(Role::User, "What is this?"),
//!         PromptMessage::new(Role::User, Image::png(DOT).into()),
//!     ])
//! }
//! ```
//!
//! [`Folder`] reads them from files, and from nowhere outside its folder.

mod file;
mod folder;
mod media;

pub use file::File;
pub use folder::Folder;
pub use media::{Audio, Image};

use std::sync::Arc;

use rmcp::model::{
    ContentBlock, GetPromptResult, JsonObject, PromptMessage, ResourceContents, Role,
};

use crate::component::{IntoContents, IntoPrompt, IntoToolResult, ReadTarget, ToolResult};
use crate::error::Result;

/// Bytes as they stand in JSON.
fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// What each of them can be.
macro_rules! usable {
    ($kind:ty) => {
        impl From<$kind> for ToolResult {
            fn from(content: $kind) -> Self {
                Self::content([content.into()])
            }
        }

        impl IntoToolResult for $kind {
            fn output_schema() -> Option<(Arc<JsonObject>, bool)> {
                None
            }

            fn into_tool_result(self, _: bool) -> Result<ToolResult> {
                Ok(self.into())
            }
        }

        impl IntoContents for $kind {
            fn into_contents(self, target: ReadTarget) -> Vec<ResourceContents> {
                vec![self.contents(target.uri)]
            }
        }

        impl IntoPrompt for $kind {
            fn into_prompt(self) -> GetPromptResult {
                let content: ContentBlock = self.into();
                vec![PromptMessage::new(Role::User, content)].into_prompt()
            }
        }
    };
}
usable!(Image);
usable!(Audio);
usable!(File);

#[cfg(test)]
mod tests;
