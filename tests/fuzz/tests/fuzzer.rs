//! libFuzzer's entry, built and started by `scripts/fuzz`: the target is named by `FUZZ_TARGET`, so that all of them
//! are one binary, built once.

#![no_main]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use millrace_fuzz::{Target, target};

/// Most memory that may be asked for at once, in bytes.
const MOST_AT_ONCE: usize = 256 << 20;

/// The system's allocator, for which more than [`MOST_AT_ONCE`] is a finding; libFuzzer itself sees single allocations
/// only together with a sanitizer.
struct Bounded;

fn check(size: usize) {
    if size > MOST_AT_ONCE {
        eprintln!("{size} bytes are asked for at once, {MOST_AT_ONCE} are allowed");
        std::process::abort();
    }
}

// SAFETY: everything is the system's allocator, whose contract it is.
unsafe impl GlobalAlloc for Bounded {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        check(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        check(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        check(size);
        // SAFETY: the caller's promise.
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Bounded = Bounded;

static TARGET: OnceLock<&'static Target> = OnceLock::new();

fn chosen() -> &'static Target {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    target(&name).unwrap_or_else(|| {
        let names: Vec<&str> = millrace_fuzz::TARGETS.iter().map(|target| target.name).collect();
        eprintln!("FUZZ_TARGET={name:?} is no target; there are {}", names.join(", "));
        std::process::exit(2);
    })
}

fuzz_target!(|data: &[u8]| {
    (TARGET.get_or_init(chosen).run)(data);
});
