//! The logo as SVG.

use pymcp_kit::{CacheHint, Ctx, Resource, Result};

/// Embedded, so that it is there wherever the server is started.
const SVG: &str = include_str!("assets/logo.svg");

/// The resource, as clients see it.
pub fn resource() -> Resource {
    Resource::new("data://logo_svg", "resource_logo_svg", logo_svg)
        .title("Logo (SVG)")
        .description("Get the PyMCP logo as SVG.")
        .mime_type("image/svg+xml")
        .tags(["logo", "svg", "example"])
        .cache_hint(CacheHint::FIXED)
        .cached()
}

async fn logo_svg(ctx: Ctx) -> Result<&'static str> {
    ctx.info("Reading the SVG logo for PyMCP.").await;
    ctx.info(format!("Read {} bytes from the SVG logo file.", SVG.len()))
        .await;
    Ok(SVG)
}

#[cfg(test)]
mod tests {
    use pymcp_kit::testing::Probe;

    use super::*;

    #[tokio::test]
    async fn it_is_an_svg_that_runs_and_loads_nothing() {
        let mut probe = Probe::new();
        let svg = probe.run(logo_svg(probe.ctx())).await.unwrap();
        assert!(svg.contains("<svg") && svg.contains("</svg>"));
        for active in ["<script", "href", "<foreignObject", "onload"] {
            assert!(!svg.contains(active), "{active}");
        }
    }
}
