//! A message on its way in, with its era found out.

use crate::wire::{Id, Message};

use crate::protocol::{HttpSignals, RequestMeta, Route, classify_meta, names_protocol_version};

/// A message with its era found out.
pub struct Inbound<'a> {
    pub(crate) message: Message<'a>,
    pub(crate) meta: RequestMeta<'a>,
    pub(crate) route: Route,
    pub(crate) http: Option<HttpSignals<'a>>,
}

impl<'a> Inbound<'a> {
    pub(super) fn new(message: Message<'a>, http: Option<HttpSignals<'a>>) -> Self {
        let (method, params) = match &message {
            Message::Request(request) => (&*request.method, request.params),
            Message::Notification(notification) => (&*notification.method, notification.params),
            Message::Response(_) => ("", None),
        };
        let meta = RequestMeta::peek(params);
        let initialize = method == "initialize" && names_protocol_version(params);
        let route = match message {
            // Only requests carry the envelope; what else is modern about them only HTTP can tell.
            Message::Request(_) => classify_meta(method, initialize, &meta, http),
            _ => Route::Legacy,
        };
        Self {
            message,
            meta,
            route,
            http,
        }
    }

    /// Where it goes.
    pub fn route(&self) -> &Route {
        &self.route
    }

    /// The message.
    pub fn message(&self) -> &Message<'a> {
        &self.message
    }

    /// The id, when it is a request.
    pub fn request_id(&self) -> Option<&Id> {
        match &self.message {
            Message::Request(request) => Some(&request.id),
            _ => None,
        }
    }

    /// The method, when it is a request.
    pub(super) fn method(&self) -> Option<&str> {
        match &self.message {
            Message::Request(request) => Some(&request.method),
            _ => None,
        }
    }

    /// Whether its answer is a stream that lasts.
    pub fn is_subscription(&self) -> bool {
        matches!(&self.message, Message::Request(request) if request.method == "subscriptions/listen")
    }

    /// Whether it is the request that opens a legacy session.
    pub fn is_initialize(&self) -> bool {
        matches!(&self.message, Message::Request(request) if request.method == "initialize")
    }
}
