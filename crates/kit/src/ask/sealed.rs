//! The state that a client carries between rounds: sealed, bound to its call, used once.

use std::sync::Arc;
use std::time::Duration;

use rmcp::model::JsonObject;
use serde_json::{Value, json};

use crate::canonical;
use crate::context::Ctx;
use crate::error::{Error, Result};
use crate::keys::KeyRing;
use crate::rounds::Carried;
use crate::store::{NonceStore, StoreError};
use crate::wire::{Code, RpcError};

/// One message for everything that can be wrong with a state, so that nobody learns which.
const REFUSED: &str = "\"requestState\" is invalid or has expired; make the call again without it.";

/// How much longer a used state is remembered than it could be used.
const CLOCK_MARGIN: Duration = Duration::from_secs(60);

/// When to come back to a store that cannot tell.
const AWAY: Duration = Duration::from_secs(2);

/// Bounds of asking in rounds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SealedLimits {
    /// Rounds of one call.
    pub(crate) rounds: usize,
    /// Time that the client has for one of them.
    pub(crate) ttl: Duration,
    /// Bytes of what it carries.
    pub(crate) bytes: usize,
}

/// Seals and opens.
pub(crate) struct SealedStates {
    pub(crate) keys: Arc<KeyRing>,
    pub(crate) nonces: Arc<dyn NonceStore>,
    pub(crate) limits: SealedLimits,
}

impl SealedStates {
    /// Takes up the state that came with the request, if one did. Until this has succeeded nothing
    /// of the component may run.
    pub(crate) async fn open(&self, ctx: &Ctx) -> Result<()> {
        let Some(rounds) = ctx.rounds() else {
            return Ok(());
        };
        let Some(state) = rounds.seed().params()?.request_state else {
            return Ok(());
        };
        let refused = || Error::from(RpcError::invalid_params(REFUSED));
        // As JSON it can be longer, if somebody writes it with escapes.
        if state.get().len() > 6 * sealed_size(self.limits.bytes) {
            return Err(refused());
        }
        let state: String = serde_json::from_str(state.get())?;
        if state.len() > sealed_size(self.limits.bytes) {
            return Err(refused());
        }
        let carried = self
            .keys
            .open(&state, &binding(ctx)?)
            .and_then(|payload| serde_json::from_slice::<Carried>(&payload).ok())
            .ok_or_else(refused)?;
        let nonce = u128::from_str_radix(&carried.nonce, 16).map_err(|_| refused())?;
        // What holds nothing, and is answered nothing, is worth as much as no state at all: to remember
        // it would let clients fill the store with the rounds that they begin. A state that holds
        // answers counts once even so: from each use of it the call could go on to its end.
        let unused = match carried.is_empty() && !rounds.answers_any(&carried) {
            true => {
                let used = self.nonces.is_used(ctx.principal(), nonce).await;
                used.map(|used| !used)
            }
            false => {
                // Longer than the state lives, should the clock that it goes by be set back.
                let ttl = self.limits.ttl + CLOCK_MARGIN;
                self.nonces.claim(ctx.caller(), nonce, ttl).await
            }
        };
        match unused {
            Ok(true) => {}
            Ok(false) => {
                tracing::debug!("refused a request state that was used before");
                return Err(refused());
            }
            // Without knowing that it is unused it is not used.
            Err(error) => {
                tracing::warn!(%error, "cannot tell whether a request state was used before");
                let why = match error {
                    StoreError::Full => {
                        "The server remembers too many used request states; make the same call again later."
                    }
                    StoreError::Unavailable => {
                        "The store of used request states cannot be reached at the moment; make the same call again later."
                    }
                };
                return Err(RpcError::new(Code::BUSY, why).with_retry_after(AWAY).into());
            }
        }
        rounds.resume(carried);
        Ok(())
    }

    /// Ends a round: `inputRequests` and `requestState` for the client.
    pub(crate) fn close(&self, ctx: &Ctx) -> Result<JsonObject> {
        let rounds = ctx
            .rounds()
            .ok_or_else(|| Error::internal("a round ended that never began"))?;
        let (requests, mut carried) = rounds.close();
        if carried.round > self.limits.rounds {
            return Err(Error::user(format!(
                "The call has had {} rounds of elicitation, the most that are allowed.",
                self.limits.rounds
            )));
        }
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce)?;
        carried.nonce = format!("{:032x}", u128::from_ne_bytes(nonce));
        let payload = serde_json::to_vec(&carried)?;
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
    let rounds = ctx
        .rounds()
        .ok_or_else(|| Error::internal("a call without rounds has no state"))?;
    let seed = rounds.seed();
    let params = seed.params()?;
    // Each part ends with a byte that none of them can hold.
    const END: u8 = 0xff;
    let mut binding = b"round".to_vec();
    let owner = ctx.principal().bytes();
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
