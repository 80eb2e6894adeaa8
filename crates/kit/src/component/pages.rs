//! The lists of components, written when they change and handed out in pages.
//!
//! A cursor names the last component of its page, signed. It outlives switches: the next page
//! begins behind that component's place among everything, whether it is still switched on or not.

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};

use super::complete_modern;
use crate::keys::KeyRing;
use crate::manifest::{self, Digest};
use crate::protocol::{Era, List};
use crate::wire::RpcError;

use super::CacheHint;
use super::registry::Registry;

/// How lists are handed out.
#[derive(Clone)]
pub(crate) struct Paging {
    /// Components on one page, at most.
    pub(crate) items: usize,
    /// Bytes of one page, unless a single component has more.
    pub(crate) bytes: usize,
    /// How long modern clients may keep a page.
    pub(crate) hint: CacheHint,
    /// What signs cursors.
    pub(crate) keys: Arc<KeyRing>,
    /// The server's name, version and so on, as modern results have it.
    pub(crate) server: Value,
}

/// All four lists.
pub(crate) struct Pages {
    paging: Paging,
    digest: Digest,
    tools: Listing,
    resources: Listing,
    templates: Listing,
    prompts: Listing,
}

struct Listing {
    list: List,
    /// Each component as JSON, with its place among everything.
    items: Vec<(usize, Bytes)>,
    /// The names of everything, by place.
    names: Vec<String>,
    first_legacy: Bytes,
    first_modern: Bytes,
}

impl Pages {
    /// Writes the lists of what is `on` among `everything`, which are of the manifest with this digest.
    pub(crate) fn write(
        on: &Registry,
        everything: &Registry,
        paging: Paging,
        digest: Digest,
    ) -> Result<Self, serde_json::Error> {
        macro_rules! listing {
            ($list:ident, $components:ident, $name:ident) => {
                Listing::write(
                    List::$list,
                    everything.$components().map(|one| one.$name().to_owned()),
                    on.$components().map(|one| (one.$name(), one.definition())),
                    &paging,
                    digest,
                )?
            };
        }
        Ok(Self {
            tools: listing!(Tools, tools, name),
            resources: listing!(Resources, resources, uri),
            templates: listing!(Templates, templates, uri_template),
            prompts: listing!(Prompts, prompts, name),
            paging,
            digest,
        })
    }

    /// The result of a list method.
    ///
    /// # Errors
    /// When the cursor is not one that this server handed out for this list.
    pub(crate) fn page(
        &self,
        list: List,
        era: Era,
        cursor: Option<&str>,
    ) -> Result<Bytes, RpcError> {
        let listing = match list {
            List::Tools => &self.tools,
            List::Resources => &self.resources,
            List::Templates => &self.templates,
            List::Prompts => &self.prompts,
        };
        match (cursor, era) {
            (None, Era::Legacy) => Ok(listing.first_legacy.clone()),
            (None, Era::Modern) => Ok(listing.first_modern.clone()),
            (Some(cursor), era) => {
                let place = self
                    .paging
                    .keys
                    .open(cursor, list.method().as_bytes())
                    .and_then(|name| {
                        listing
                            .names
                            .iter()
                            .position(|known| known.as_bytes() == name)
                    });
                let Some(place) = place else {
                    return Err(RpcError::invalid_params(
                        "\"cursor\" is not one that this server handed out for this list.",
                    ));
                };
                let from = listing.items.partition_point(|(other, _)| *other <= place);
                Ok(listing.write_page(from, era, &self.paging, self.digest))
            }
        }
    }
}

impl Listing {
    fn write<'a, D: Serialize + 'a>(
        list: List,
        names: impl Iterator<Item = String>,
        on: impl Iterator<Item = (&'a str, &'a D)>,
        paging: &Paging,
        digest: Digest,
    ) -> Result<Self, serde_json::Error> {
        let names: Vec<String> = names.collect();
        let mut items = Vec::new();
        let mut place = 0;
        for (name, definition) in on {
            // Both are in the same order.
            while names.get(place).is_some_and(|other| other != name) {
                place += 1;
            }
            items.push((place, Bytes::from(serde_json::to_vec(definition)?)));
            place += 1;
        }
        let mut listing = Self {
            list,
            items,
            names,
            first_legacy: Bytes::new(),
            first_modern: Bytes::new(),
        };
        listing.first_legacy = listing.write_page(0, Era::Legacy, paging, digest);
        listing.first_modern = listing.write_page(0, Era::Modern, paging, digest);
        Ok(listing)
    }

    fn write_page(&self, from: usize, era: Era, paging: &Paging, digest: Digest) -> Bytes {
        let rest = self.items.get(from..).unwrap_or_default();
        let mut bytes = 0;
        let fits = |(_, item): &&(usize, Bytes)| {
            let first = bytes == 0;
            bytes += item.len() + 1;
            first || bytes <= paging.bytes
        };
        let page: Vec<&(usize, Bytes)> = rest.iter().take(paging.items).take_while(fits).collect();
        let next = match page.last() {
            Some((place, _)) if page.len() < rest.len() => {
                let purpose = self.list.method().as_bytes();
                Some(
                    paging
                        .keys
                        .seal(self.names[*place].as_bytes(), purpose, None),
                )
            }
            _ => None,
        };
        let mut around = json!({});
        if let Some(next) = next {
            around["nextCursor"] = json!(next);
        }
        if era == Era::Modern {
            around = complete_modern(around, paging.hint, &paging.server);
        }
        around["_meta"][manifest::META] = json!(digest);
        let around = around.to_string();
        let around = around.strip_prefix('{').unwrap_or(&around);
        let items: Vec<&[u8]> = page.iter().map(|(_, item)| &**item).collect();
        let comma = if around == "}" { "" } else { "," };
        let member = self.list.member();
        let mut page = format!("{{\"{member}\":[").into_bytes();
        page.extend(items.join(&b","[..]));
        page.extend(format!("]{comma}{around}").into_bytes());
        page.into()
    }
}
