//! What the fuzz targets in `fuzz/` drive, which is not public otherwise.

use std::sync::Arc;

use tokio::io::sink;

use crate::host::HostFunctions;
use crate::limits::Limits;
use crate::run::{MAX_DIAGNOSTICS, MAX_DIAGNOSTICS_SIZE, Printed, Request};
use crate::wire::{self, FromWorker, HEAD, ToWorker};

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Arguments {
    a: Option<f64>,
    b: Option<Vec<String>>,
}

/// The server's side of a conversation with a worker that says these bytes.
pub async fn hostile_worker(said: &[u8]) {
    let echo = |args: Arguments| async move {
        match args.b {
            Some(texts) => Ok(texts.concat()),
            None => Err(format!("{:?}", args.a).into()),
        }
    };
    let Ok(host) = HostFunctions::new().function("f", echo) else {
        return;
    };
    let limits = Limits {
        value: 1 << 10,
        output: 1 << 10,
        inputs: 1 << 10,
        host_calls: 10,
        ..Limits::default()
    };
    let request = Request {
        host: Arc::new(host),
        ..Request::default()
    };
    let mut printed = <[Printed; 2]>::default();
    let answer = crate::pool::converse(said, sink(), request, limits, &mut printed).await;
    for printed in &printed {
        assert!(printed.text.len() <= limits.output);
    }
    if let Ok(done) = answer {
        match done.result {
            Ok(value) => {
                assert!(value.text.is_none_or(|text| text.len() <= limits.value));
                let told: usize = value.diagnostics.iter().map(String::len).sum();
                assert!(value.diagnostics.len() <= MAX_DIAGNOSTICS && told <= MAX_DIAGNOSTICS_SIZE);
            }
            Err(error) => assert!(error.message.len() <= wire::MAX_MESSAGE),
        }
    }
}

/// Both sides' reading of a frame: whatever is read is written and read again as the same.
pub fn frame(bytes: &[u8]) {
    let Some((head, body)) = bytes.split_first_chunk::<HEAD>() else {
        return;
    };
    let Ok(announced) = wire::announced(*head) else {
        return;
    };
    let body = &body[..announced.min(body.len())];
    if let Ok(message) = wire::decode::<ToWorker>(body) {
        if let ToWorker::Run(run) = &message {
            crate::engine::fuzz_request(run);
        }
        again(&message);
    }
    if let Ok(message) = wire::decode::<FromWorker>(body) {
        again(&message);
    }
}

fn again<T: serde::Serialize + serde::de::DeserializeOwned>(message: &T) {
    let Ok(once) = wire::encode(message) else {
        return;
    };
    match wire::decode::<T>(&once[HEAD..]).and_then(|message| wire::encode(&message)) {
        Ok(twice) => assert_eq!(once, twice),
        Err(error) => panic!("{error}: {}", String::from_utf8_lossy(&once)),
    }
}

/// JSON to Python and back.
pub fn values(json: &str) {
    crate::engine::fuzz_values(json);
}
