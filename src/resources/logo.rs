//! The logo as a PNG with its hash, as JSON.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pymcp_kit::{CacheHint, Ctx, Resource, Result};
use serde_json::json;
use sha3::{Digest, Sha3_512};

/// Embedded, so that it is there wherever the server is started.
const PNG: &[u8] = include_bytes!("assets/logo.png");

/// The hash in hex, and the resource's text.
static LOGO: LazyLock<(String, String)> = LazyLock::new(|| {
    let hash: String = Sha3_512::digest(PNG)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let text = json!({ "data": STANDARD.encode(PNG), "hash": hash, "hash_algorithm": "sha3_512" })
        .to_string();
    (hash, text)
});

/// The resource, as clients see it.
pub fn resource() -> Resource {
    Resource::new("data://logo", "resource_logo", logo)
        .title("Logo (PNG)")
        .description("Get the base64 encoded PNG logo of PyMCP.")
        .mime_type("application/json")
        .tags(["logo", "png", "example"])
        .cache_hint(CacheHint::FIXED)
        .cached()
}

async fn logo(ctx: Ctx) -> Result<&'static str> {
    let (hash, text) = &*LOGO;
    ctx.info("Reading the PNG logo for PyMCP.").await;
    ctx.info(format!(
        "Read {} bytes from the logo file. SHA3-512: {hash}",
        PNG.len()
    ))
    .await;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use pymcp_kit::testing::Probe;
    use serde_json::Value;

    use super::*;

    #[tokio::test]
    async fn the_data_is_the_picture_and_the_hash_is_its_own() {
        let mut probe = Probe::new();
        let logo: Value =
            serde_json::from_str(probe.run(logo(probe.ctx())).await.unwrap()).unwrap();
        let data = STANDARD.decode(logo["data"].as_str().unwrap()).unwrap();
        assert!(data.starts_with(b"\x89PNG\r\n\x1a\n"));
        assert_eq!(data, PNG);
        assert_eq!(logo["hash_algorithm"], "sha3_512");
        assert_eq!(logo["hash"].as_str().unwrap().len(), 128);
        assert_eq!(probe.logs().len(), 2);
    }
}
