//! What a server says unasked: the stream of a legacy session, or a subscription of 2026-07-28.

// Subscriptions to single resources are deprecated since 2026-07-28, and servers of today have them.
#![allow(deprecated)]

use rmcp::model::{ClientRequest, SubscribeRequest, SubscribeRequestParams, SubscriptionFilter};
use rmcp::service::Subscription;
use tokio::time::timeout;

use super::{Connection, INTERRUPTED};
use crate::client::failure;
use crate::output::visible;
use crate::{Error, Result};

/// What a server tells of.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Watched {
    pub(crate) tools: bool,
    pub(crate) resources: bool,
    pub(crate) prompts: bool,
    /// Resources whose updates are told.
    pub(crate) uris: Vec<String>,
}

impl Connection {
    /// Waits for Ctrl-C.
    pub(crate) async fn stopped(&self) {
        self.stop.wait().await;
    }

    /// What ends what is under way after Ctrl-C.
    pub(crate) fn interrupted() -> Error {
        Error::printed(INTERRUPTED)
    }

    /// Asks to be told of everything that the server can tell of, and of updates of these resources. In the legacy era it
    /// is told as any notification; else in the subscription.
    ///
    /// # Errors
    /// As of [`Connection::request`], or that the server does not tell of updates.
    pub(crate) async fn listen(&self, uris: &[String]) -> Result<(Watched, Option<Subscription>)> {
        let watched = self.watchable(uris)?;
        if !self.is_modern() {
            for uri in uris {
                let params = SubscribeRequestParams::new(uri.as_str());
                let request = ClientRequest::SubscribeRequest(SubscribeRequest::new(params));
                self.request(request).await?;
            }
            return Ok((watched, None));
        }
        let mut filter = SubscriptionFilter::builder();
        if watched.tools {
            filter = filter.tools_list_changed();
        }
        if watched.resources {
            filter = filter.resources_list_changed();
        }
        if watched.prompts {
            filter = filter.prompts_list_changed();
        }
        if !uris.is_empty() {
            filter = filter.resource_subscriptions(uris);
        }
        let subscription = tokio::select! {
            subscription = timeout(self.patience, self.peer().listen(filter.build())) => subscription,
            () = self.stop.wait() => return Err(Self::interrupted()),
        };
        let subscription = subscription
            .map_err(|_| failure::late(&self.target, self.patience.as_secs()))?
            .map_err(|error| failure::failed(&error, &self.target))?;
        let told = subscription.acknowledged();
        let is = |told: Option<bool>| told == Some(true);
        let watched = Watched {
            tools: is(told.tools_list_changed),
            resources: is(told.resources_list_changed),
            prompts: is(told.prompts_list_changed),
            uris: told.resource_subscriptions.clone().unwrap_or_default(),
        };
        match uris.iter().find(|uri| !watched.uris.contains(uri)) {
            Some(uri) => Err(self.does_not_tell(uri)),
            None => Ok((watched, Some(subscription))),
        }
    }

    /// What the server says that it tells of.
    fn watchable(&self, uris: &[String]) -> Result<Watched> {
        let server = self.server();
        let capabilities = &server.capabilities;
        let is = |told: Option<bool>| told == Some(true);
        let resources = capabilities.resources.as_ref();
        if let Some(uri) = uris.first()
            && !resources.is_some_and(|resources| is(resources.subscribe))
        {
            return Err(self.does_not_tell(uri));
        }
        let (tools, prompts) = (capabilities.tools.as_ref(), capabilities.prompts.as_ref());
        Ok(Watched {
            tools: tools.is_some_and(|tools| is(tools.list_changed)),
            resources: resources.is_some_and(|resources| is(resources.list_changed)),
            prompts: prompts.is_some_and(|prompts| is(prompts.list_changed)),
            uris: uris.to_vec(),
        })
    }

    fn does_not_tell(&self, uri: &str) -> Error {
        let (target, uri) = (&self.target, visible(uri));
        Error::other(format!("{target} does not tell when {uri} is updated."))
            .hint("Without --uri its lists are watched.")
    }

    /// What went wrong with a subscription.
    pub(crate) fn lost(&self, error: &rmcp::service::ServiceError) -> Error {
        failure::failed(error, &self.target)
    }
}
