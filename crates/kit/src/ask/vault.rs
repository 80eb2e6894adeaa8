//! The state that a client carries between rounds: sealed, bound to its call, used once.

use std::sync::Arc;
use std::time::Duration;

use rmcp::model::JsonObject;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::canonical;
use crate::context::Ctx;
use crate::error::{Error, Result};
use crate::keys::KeyRing;
use crate::store::NonceStore;
use crate::wire::{Code, RpcError};

use super::rounds::Carried;

/// One message for everything that can be wrong with a state, so that nobody learns which.
const REFUSED: &str = "\"requestState\" is invalid or has expired; make the call again without it.";

/// How much longer a used state is remembered than it could be used.
const CLOCK_MARGIN: Duration = Duration::from_secs(60);

/// Bounds of asking in rounds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct VaultLimits {
    /// Rounds of one call.
    pub(crate) rounds: usize,
    /// Time that the client has for one of them.
    pub(crate) ttl: Duration,
    /// Bytes of what it carries.
    pub(crate) bytes: usize,
}

/// Seals and opens.
pub(crate) struct Vault {
    pub(crate) keys: Arc<KeyRing>,
    pub(crate) nonces: Arc<dyn NonceStore>,
    pub(crate) limits: VaultLimits,
}

#[derive(Serialize, Deserialize)]
struct Payload {
    #[serde(rename = "n")]
    nonce: String,
    #[serde(flatten)]
    carried: Carried,
}

impl Vault {
    /// Takes up the state that came with the request, if one did. Until this has succeeded nothing
    /// of the component may run.
    pub(crate) async fn open(&self, ctx: &Ctx) -> Result<()> {
        let Some(rounds) = ctx.rounds() else {
            return Ok(());
        };
        let Some(state) = rounds.seed().state.take() else {
            return Ok(());
        };
        let refused = || Error::from(RpcError::invalid_params(REFUSED));
        if state.len() > sealed_size(self.limits.bytes) {
            return Err(refused());
        }
        let payload = self
            .keys
            .open(&state, &binding(ctx)?)
            .and_then(|payload| serde_json::from_slice::<Payload>(&payload).ok())
            .ok_or_else(refused)?;
        let nonce = u128::from_str_radix(&payload.nonce, 16).map_err(|_| refused())?;
        // Longer than the state lives, should the clock that it goes by be set back.
        let ttl = self.limits.ttl + CLOCK_MARGIN;
        let claim = self.nonces.claim(ctx.principal(), nonce, ttl);
        match claim.await {
            Ok(true) => {}
            Ok(false) => {
                tracing::debug!("refused a request state that was used before");
                return Err(refused());
            }
            // Without knowing that it is unused it is not used.
            Err(error) => {
                tracing::warn!(%error, "cannot tell whether a request state was used before");
                return Err(RpcError::new(
                    Code::BUSY,
                    "The server is busy with questions; make the same call again later.",
                )
                .into());
            }
        }
        rounds.resume(payload.carried);
        Ok(())
    }

    /// Ends a round: `inputRequests` and `requestState` for the client.
    pub(crate) fn close(&self, ctx: &Ctx) -> Result<JsonObject> {
        let rounds = ctx
            .rounds()
            .ok_or_else(|| Error::internal("a round ended that never began"))?;
        let (requests, carried) = rounds.close();
        if carried.round > self.limits.rounds {
            return Err(Error::user(format!(
                "The call asked in more than {} rounds, so it was given up.",
                self.limits.rounds
            )));
        }
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce)?;
        let payload = serde_json::to_vec(&Payload {
            nonce: format!("{:032x}", u128::from_ne_bytes(nonce)),
            carried,
        })?;
        if payload.len() > self.limits.bytes {
            return Err(Error::user(format!(
                "The answers so far are larger than the {} bytes that can be kept between rounds.",
                self.limits.bytes
            )));
        }
        let state = self
            .keys
            .seal(&payload, &binding(ctx)?, Some(self.limits.ttl));
        let Value::Object(result) = json!({ "inputRequests": requests, "requestState": state })
        else {
            unreachable!()
        };
        Ok(result)
    }
}

/// Characters of a sealed payload: base64 and what goes with it.
fn sealed_size(payload: usize) -> usize {
    payload.div_ceil(3) * 4 + 1024
}

/// What a state is good for: this server, this caller, this method, this component, these arguments.
fn binding(ctx: &Ctx) -> Result<Vec<u8>> {
    #[derive(Deserialize)]
    struct Params<'a> {
        #[serde(borrow, default)]
        name: Option<&'a RawValue>,
        #[serde(borrow, default)]
        uri: Option<&'a RawValue>,
        #[serde(borrow, default)]
        arguments: Option<&'a RawValue>,
    }
    let rounds = ctx
        .rounds()
        .ok_or_else(|| Error::internal("a call without rounds has no state"))?;
    let seed = rounds.seed();
    let params: Params<'_> = serde_json::from_str(&seed.params)?;
    // Each part ends with a byte that none of them can hold.
    const END: u8 = 0xff;
    // How the anonymous principal is written: no subject can be that.
    const NOBODY: &[u8] = &[0xfe];
    let mut binding = b"round".to_vec();
    let owner = ctx.principal().subject().map_or(NOBODY, str::as_bytes);
    for part in [ctx.server().name.as_bytes(), owner, seed.method.as_bytes()] {
        binding.push(END);
        binding.extend_from_slice(part);
    }
    for part in [params.name, params.uri, params.arguments] {
        binding.push(END);
        if let Some(part) = part {
            canonical::text(part, &mut binding);
        }
    }
    Ok(binding)
}
