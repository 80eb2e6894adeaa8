//! Shows: icons, as `data:` URIs, so that no client has to fetch them from anywhere.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pymcp_kit::model::Icon;

/// A disc of this colour (as CSS names them) that is sharp at any size.
pub(crate) fn disc(colour: &str) -> Icon {
    let svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 16 16\">\
         <circle cx=\"8\" cy=\"8\" r=\"7\" fill=\"{colour}\"/></svg>"
    );
    Icon::new(format!(
        "data:image/svg+xml;base64,{}",
        STANDARD.encode(svg)
    ))
    .with_mime_type("image/svg+xml")
    .with_sizes(vec!["any".to_owned()])
}
