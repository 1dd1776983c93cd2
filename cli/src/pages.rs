//! The pages: what `web/` was built into.

use millrace::PageFile;

include!(concat!(env!("OUT_DIR"), "/pages.rs"));
