//! Names of things that go from call to call, as an argument: for the era that has no sessions.

use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::keys::{Purpose, SIGNATURE};
use crate::principal::Principal;

use super::{Bucket, Ctx};

/// Which bytes there are.
const FORMAT: u8 = 1;

/// Format, key, expiry and nonce.
const SIGNED: usize = 1 + 4 + 8 + 16;

/// Characters of a handle.
const LENGTH: usize = (SIGNED + SIGNATURE).div_ceil(3) * 4 - 2;

const HANDLE: Purpose = Purpose("handle");

/// A name of something that one tool has begun and others go on with: a basket, a draft, a game. The
/// server mints it, the model passes it as an argument.
///
/// It is signed, and good for the principal that it was minted for, on every replica with the same
/// keys. A handle that came as an argument is worth nothing before [`Handle::id`] or
/// [`Handle::bucket`] has opened it.
///
/// ```
/// use std::time::Duration;
///
/// use pymcp_kit::{Ctx, Handle, NoArgs, Result};
/// use schemars::JsonSchema;
/// use serde::Deserialize;
///
/// #[derive(Deserialize, JsonSchema)]
/// struct Put {
///     /// The basket, as `open_basket` gave it.
///     basket: Handle,
///     item: String,
/// }
///
/// async fn open_basket(ctx: Ctx, _: NoArgs) -> Result<Handle> {
///     ctx.mint(Duration::from_secs(3600))
/// }
///
/// async fn put(ctx: Ctx, args: Put) -> Result<usize> {
///     let basket = args.basket.bucket(&ctx)?;
///     let mut items: Vec<String> = basket.get("items").await?.unwrap_or_default();
///     items.push(args.item);
///     basket.set("items", &items).await?;
///     Ok(items.len())
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Handle(String);

/// What tells the handles of a server apart; of one that was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HandleId(u128);

impl std::fmt::Display for HandleId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl JsonSchema for Handle {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Handle".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "minLength": LENGTH,
            "maxLength": LENGTH,
            "pattern": "^[A-Za-z0-9_-]+$",
        })
    }
}

impl Ctx {
    /// A new handle, for whoever is asking and for so long.
    ///
    /// # Errors
    /// When the principal is anonymous, as everybody is over HTTP without authentication; the caller is told: nobody could
    /// tell whose it is. Or when the operating system has no randomness to give.
    pub fn mint(&self, ttl: Duration) -> Result<Handle> {
        let owner = somebody(self)?;
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce)?;
        let keys = &self.facts().keys;
        let mut bytes = vec![FORMAT];
        bytes.extend(keys.signing_id());
        bytes.extend(now().saturating_add(ttl.as_secs()).to_be_bytes());
        bytes.extend(nonce);
        let signature = keys.sign(
            HANDLE,
            &[&bytes, self.server().name.as_bytes(), owner.bytes()],
        );
        bytes.extend(signature);
        Ok(Handle(URL_SAFE_NO_PAD.encode(bytes)))
    }
}

impl Handle {
    /// Opens it: what tells it from all others.
    ///
    /// # Errors
    /// When it was not minted by this server for this principal, or has expired. The caller is told.
    pub fn id(&self, ctx: &Ctx) -> Result<HandleId> {
        let owner = somebody(ctx)?;
        self.open(ctx, owner).ok_or_else(|| {
            Error::user(
                "The handle is not known: it has expired or was made up; get a new one from the tool that gave it.",
            )
        })
    }

    fn open(&self, ctx: &Ctx, owner: &Principal) -> Option<HandleId> {
        if self.0.len() != LENGTH {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(&self.0).ok()?;
        let (signed, signature) = bytes.split_first_chunk::<SIGNED>()?;
        let (format, rest) = signed.split_first()?;
        let (key, rest) = rest.split_first_chunk()?;
        let (expires, nonce) = rest.split_first_chunk()?;
        let nonce = u128::from_be_bytes(nonce.try_into().ok()?);
        let parts = [&signed[..], ctx.server().name.as_bytes(), owner.bytes()];
        let signed = ctx.facts().keys.is_signed(*key, HANDLE, &parts, signature);
        let lasts = now() < u64::from_be_bytes(*expires);
        (signed & lasts & (*format == FORMAT)).then_some(HandleId(nonce))
    }

    /// Opens it: what is remembered under it, a part of [`Ctx::bucket`].
    ///
    /// # Errors
    /// As [`Handle::id`].
    pub fn bucket(&self, ctx: &Ctx) -> Result<Bucket> {
        let id = self.id(ctx)?;
        ctx.bucket_under(format!("{id}/"))
    }
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |passed| passed.as_secs())
}

/// Who is asking, if that can be told.
fn somebody(ctx: &Ctx) -> Result<&Principal> {
    match ctx.principal() {
        &Principal::ANONYMOUS => Err(Error::user(
            "Over HTTP, handles are for clients that authenticate, and this one does not; set up authentication, or use \
             stdio.",
        )),
        somebody => Ok(somebody),
    }
}
