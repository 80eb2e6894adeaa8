//! Resources at a fixed URI.

use std::sync::Arc;

use rmcp::model::{Resource as Definition, ResourceContents};

use crate::error::HandlerError;

use super::handler::{ResourceHandler, Run, finish, with_state};
use super::{CacheHint, Settings, common_builders};
use crate::label::Label;
use crate::protocol::Kind;

/// A resource: something to read at a fixed URI.
///
/// ```
/// use pymcp_kit::{Ctx, Resource, Result};
///
/// async fn motto(_: Ctx) -> Result<&'static str> {
///     Ok("Least privilege.")
/// }
///
/// let resource = Resource::new("data://motto", "motto", motto).mime_type("text/plain").cached();
/// # let resource: Resource = resource;
/// assert_eq!(resource.uri(), "data://motto");
/// ```
///
/// `S` is the state that the handler takes and that is still missing: see [`Resource::with`].
pub struct Resource<S = ()> {
    pub(crate) definition: Definition,
    pub(crate) settings: Settings,
    pub(crate) label: Arc<Label>,
    pub(crate) run: Run<S, ReadTarget, Vec<ResourceContents>>,
}

/// Where something was read and what it is: the same for every kind of contents.
pub struct ReadTarget {
    /// The URI that was asked for.
    pub uri: String,
    /// The declared MIME type.
    pub mime_type: Option<String>,
}

impl<S: 'static> Resource<S> {
    /// A resource at `uri` (RFC 3986, with a scheme) with a name for programs, read by `handler`: see
    /// [`ResourceHandler`].
    pub fn new<H, M, K>(uri: impl Into<String>, name: impl Into<String>, handler: H) -> Self
    where
        H: ResourceHandler<M, S>,
        H::Value: IntoContents + Send + 'static,
        H::Error: HandlerError<K>,
        H::Future: Send + 'static,
    {
        let uri = uri.into();
        Self {
            label: Label::new(Kind::Resource, uri.clone()),
            definition: Definition::new(uri, name),
            settings: Settings::default(),
            run: Box::new(move |ctx, state, target| {
                finish(handler.call(ctx, state), move |value: H::Value| {
                    Ok(value.into_contents(target))
                })
            }),
        }
    }

    /// Hands the handler its state: a clone of it for each call.
    ///
    /// ```
    /// use pymcp_kit::{Ctx, Resource, Result};
    ///
    /// async fn motto(_: Ctx, motto: &'static str) -> Result<&'static str> {
    ///     Ok(motto)
    /// }
    ///
    /// let resource: Resource =
    ///     Resource::new("data://motto", "motto", motto).with("Least privilege.");
    /// ```
    pub fn with(self, state: S) -> Resource
    where
        S: Clone + Send + Sync,
    {
        self.map_run(|run| with_state(run, state))
    }

    fn map_run(
        self,
        map: impl FnOnce(
            Run<S, ReadTarget, Vec<ResourceContents>>,
        ) -> Run<(), ReadTarget, Vec<ResourceContents>>,
    ) -> Resource {
        Resource {
            definition: self.definition,
            settings: self.settings,
            label: self.label,
            run: map(self.run),
        }
    }

    common_builders!(Resource);

    /// The URI it is read at.
    pub fn uri(&self) -> &str {
        &self.definition.uri
    }

    /// What clients are told of it.
    pub fn definition(&self) -> &Definition {
        &self.definition
    }

    /// Whom it is for, how important it is, and when it was last changed.
    pub fn annotations(mut self, annotations: rmcp::model::Annotations) -> Self {
        self.definition.annotations = Some(annotations);
        self
    }

    /// The MIME type of its contents.
    pub fn mime_type(mut self, mime_type: impl Into<String>) -> Self {
        self.definition.mime_type = Some(mime_type.into());
        self
    }

    /// The size of its contents in bytes, when it is known beforehand.
    pub fn size(mut self, bytes: u64) -> Self {
        self.definition.size = Some(bytes);
        self
    }

    /// How long modern clients may keep it, and whether it is the same for everybody.
    pub fn cache_hint(mut self, hint: CacheHint) -> Self {
        self.settings.hint = hint;
        self
    }
}

/// What reading a resource may return: text, bytes, or contents said by hand.
pub trait IntoContents {
    /// The contents of the resource at `target`; empty means that there is no such resource.
    fn into_contents(self, target: ReadTarget) -> Vec<ResourceContents>;
}

impl IntoContents for String {
    fn into_contents(self, target: ReadTarget) -> Vec<ResourceContents> {
        vec![with_mime(
            ResourceContents::text(self, target.uri),
            target.mime_type,
        )]
    }
}

impl IntoContents for &'static str {
    fn into_contents(self, target: ReadTarget) -> Vec<ResourceContents> {
        self.to_owned().into_contents(target)
    }
}

impl IntoContents for Vec<u8> {
    fn into_contents(self, target: ReadTarget) -> Vec<ResourceContents> {
        use base64::Engine as _;
        let blob = base64::engine::general_purpose::STANDARD.encode(self);
        vec![with_mime(
            ResourceContents::blob(blob, target.uri),
            target.mime_type,
        )]
    }
}

impl IntoContents for Vec<ResourceContents> {
    fn into_contents(self, _: ReadTarget) -> Vec<ResourceContents> {
        self
    }
}

fn with_mime(contents: ResourceContents, mime_type: Option<String>) -> ResourceContents {
    match mime_type {
        Some(mime_type) => contents.with_mime_type(mime_type),
        None => contents,
    }
}
