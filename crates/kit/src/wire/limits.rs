//! What one message may cost before it is understood.

/// Bounds of a message, checked before anything is built from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireLimits {
    /// Bytes of one message: an HTTP body, or a line on stdio. Default 1 MiB.
    pub message_bytes: usize,
    /// Nesting of arrays and objects inside `params`, `result` or `error`. Default 64.
    ///
    /// Values above 120 have no effect: the JSON parser itself stops at 128.
    pub depth: usize,
    /// Values (scalars, arrays, objects) in one message. Default 50,000.
    pub nodes: usize,
    /// Messages in one batch (2025-03-26 only). Default 32.
    pub batch: usize,
    /// Bytes of a request id or progress token as written. Default 256.
    pub id_bytes: usize,
    /// Bytes of a method name. Default 128.
    pub method_bytes: usize,
}

impl Default for WireLimits {
    fn default() -> Self {
        Self {
            message_bytes: 1 << 20,
            depth: 64,
            nodes: 50_000,
            batch: 32,
            id_bytes: 256,
            method_bytes: 128,
        }
    }
}
