//! Steps around the components, one a file.

pub mod fastmcp_habits;
