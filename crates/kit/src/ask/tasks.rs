//! Questions of a task: shown to whoever looks at it.

use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};

use crate::error::{Error, Result};
use crate::store::StoreError;
use crate::tasks::{AskError, TaskHandle};
use crate::wire::{Code, RpcError};

use super::Asked;

/// Asks, and waits for as long as the task lives.
pub(super) async fn ask(
    task: &TaskHandle,
    name: Option<&str>,
    asked: &Asked,
) -> Result<Box<RawValue>> {
    let kind = asked.method.split('/').next().unwrap_or_default();
    let request = to_raw_value(&json!({ "method": asked.method, "params": asked.params }))?;
    match task.ask(name.unwrap_or(kind), request).await {
        Ok(answer) => Ok(answer),
        Err(AskError::Ended) => Err(Error::user("The task ended before it had its answer.")),
        Err(AskError::Store(StoreError::Full)) => Err(RpcError::new(
            Code::BUSY,
            "The server stores too many input requests of tasks; try again later.",
        )
        .into()),
        Err(error) => Err(Error::internal(error)),
    }
}
