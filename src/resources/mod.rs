//! The resources, one a file. To add one: copy `logo_svg.rs`, and add a line here and in `server.rs`.

pub mod logo;
pub mod logo_svg;
pub mod modulo10;
