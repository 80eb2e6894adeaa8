//! What the sandbox of `run_python_code` is on this machine: for `doctor` and `version --verbose`.

use pymcp_app::Checked;
use pymcp_python::{Config, Pool};

/// Starts a worker and looks at its layers of confinement.
pub(crate) async fn check(pool: Pool) -> Checked {
    match pool.probe().await {
        Ok(layers) => match layers.missing().as_slice() {
            [] => Checked::new().fact("Python sandbox", "every layer is in force"),
            missing => Checked::new().warning(
                format!("Python code runs without these layers of its sandbox: {}.", missing.join(", ")),
                "Use Linux with Landlock and seccomp, or refuse to run code without them by --python-sandbox require.",
            ),
        },
        Err(failure) => Checked::new().error(
            failure.message,
            "See the log; --log-level DEBUG says more. A build without the feature python has no such tool.",
        ),
    }
}

/// The same in a few words, with default settings. It starts a worker and ends it.
pub(crate) fn fact() -> String {
    let Ok(runtime) = tokio::runtime::Runtime::new() else {
        return "unknown".to_owned();
    };
    runtime.block_on(async {
        let pool = Pool::new(Config::default());
        let probed = pool.probe().await;
        pool.close().await;
        match probed {
            Ok(layers) => match layers.missing().as_slice() {
                [] => "every layer is in force".to_owned(),
                missing => format!("without {}", missing.join(", ")),
            },
            Err(failure) => failure.message,
        }
    })
}
