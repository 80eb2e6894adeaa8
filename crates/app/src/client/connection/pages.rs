//! Lists, page after page, within bounds: a server must not keep us for ever, nor fill our memory.

use rmcp::model::{
    ClientRequest, ListPromptsRequest, ListResourceTemplatesRequest, ListResourcesRequest,
    ListToolsRequest, PaginatedRequestParams, Prompt, Resource, ResourceTemplate, ServerResult,
    Tool,
};
use serde::Serialize;
use tokio::time::timeout;

use super::Connection;
use crate::client::failure;
use crate::{Error, Result};

/// Pages of one list.
const MAX_PAGES: usize = 1000;

/// Bytes of one list, as JSON.
const MAX_BYTES: usize = 64 << 20;

/// Makes a method that lists something.
macro_rules! list {
    ($(#[$meta:meta])* $name:ident: $item:ty, $capability:ident, $request:ident, $result:ident, $items:ident) => {
        $(#[$meta])*
        ///
        /// # Errors
        /// As of [`Connection::request`], or that the list has no end within the bounds. All of it must come within the
        /// time that one answer may take.
        pub(crate) async fn $name(&self) -> Result<Vec<$item>> {
            if self.server().capabilities.$capability.is_none() {
                return Ok(Vec::new());
            }
            let ask = |params| ClientRequest::$request($request {
                method: Default::default(),
                params,
                extensions: Default::default(),
            });
            let read = |result| match result {
                ServerResult::$result(page) => Some((page.$items, page.next_cursor)),
                _ => None,
            };
            self.all(stringify!($name), ask, read).await
        }
    };
}

impl Connection {
    list! {
        /// Every tool; none if the server says that it has none.
        tools: Tool, tools, ListToolsRequest, ListToolsResult, tools
    }
    list! {
        /// Every resource; none if the server says that it has none.
        resources: Resource, resources, ListResourcesRequest, ListResourcesResult, resources
    }
    list! {
        /// Every resource template; none if the server says that it has no resources.
        templates: ResourceTemplate, resources, ListResourceTemplatesRequest, ListResourceTemplatesResult, resource_templates
    }
    list! {
        /// Every prompt; none if the server says that it has none.
        prompts: Prompt, prompts, ListPromptsRequest, ListPromptsResult, prompts
    }

    async fn all<T: Serialize>(
        &self,
        what: &str,
        ask: impl Fn(Option<PaginatedRequestParams>) -> ClientRequest,
        read: impl Fn(ServerResult) -> Option<(Vec<T>, Option<String>)>,
    ) -> Result<Vec<T>> {
        let all = async {
            let (mut items, mut bytes) = (Vec::new(), 0);
            let mut cursor = None;
            for _ in 0..MAX_PAGES {
                let params = cursor
                    .take()
                    .map(|cursor| PaginatedRequestParams::default().with_cursor(Some(cursor)));
                let page = read(self.request(ask(params)).await?);
                let (page, next) = page.ok_or_else(|| failure::unexpected(&self.target))?;
                bytes += serde_json::to_vec(&page)?.len();
                items.extend(page);
                cursor = next;
                if cursor.is_none() {
                    return Ok(items);
                }
                if bytes > MAX_BYTES {
                    break;
                }
            }
            Err(Error::other(format!(
                "The list of {what} of {} has more than {MAX_PAGES} pages or {MAX_BYTES} bytes.",
                self.target
            )))
        };
        let late = |_| failure::late(&self.target, self.patience.as_secs());
        timeout(self.patience, all).await.map_err(late)?
    }
}
