//! Names become addresses here, and only those that may be reached.
