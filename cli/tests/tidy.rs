//! The tree keeps its own rules: who may name what, and what nobody may leave out.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Every file below `folder` with this extension, without build output.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = entry.file_name();
            if path.is_dir() {
                if name != "target" && !name.to_string_lossy().starts_with('.') {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

fn domains() -> Vec<String> {
    let entries = fs::read_dir(root().join("processors/domains")).unwrap();
    let mut names: Vec<String> = entries
        .flatten()
        .filter(|entry| entry.path().join("Cargo.toml").is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert!(!names.is_empty(), "no domain was found: the test looks in the wrong place");
    names
}

/// The dependencies in one section of a Cargo.toml.
fn dependencies(manifest: &Path, section: &str) -> Vec<String> {
    let manifest: toml::Table = text(manifest).parse().unwrap();
    let found = manifest.get(section).and_then(toml::Value::as_table);
    found.map(|table| table.keys().cloned().collect()).unwrap_or_default()
}

/// Lines of code, without comments, and without what stands behind `#[cfg(test)]` at the end of a file.
fn code(path: &Path) -> Vec<(usize, String)> {
    let text = text(path);
    let lines = text.lines().enumerate().take_while(|(_, line)| !line.starts_with("#[cfg(test)]"));
    lines
        .map(|(index, line)| (index + 1, line.split("//").next().unwrap_or_default().to_owned()))
        .filter(|(_, line)| !line.trim().is_empty())
        .collect()
}

#[test]
fn a_domain_depends_on_the_kernel_and_on_nothing_that_acts() {
    const ALLOWED: [&str; 11] = [
        "icu_casemap",
        "icu_locale_core",
        "icu_normalizer",
        "icu_properties",
        "idna",
        "millrace-kernel",
        "serde",
        "serde_json",
        "thiserror",
        "unicode-normalization",
        "url",
    ];
    for domain in domains() {
        let manifest = root().join("processors/domains").join(&domain).join("Cargo.toml");
        for dependency in dependencies(&manifest, "dependencies") {
            assert!(
                ALLOWED.contains(&dependency.as_str()),
                "{} depends on {dependency}: a domain knows no broker, no database, no other domain and no \
                 clock; if {dependency} is pure, add it to the list in {}",
                shown(&manifest),
                file!()
            );
        }
    }
}

#[test]
fn a_domain_does_no_io_and_reads_no_clock() {
    const BANNED: [(&str, &str); 9] = [
        ("SystemTime", "a decision replays; take the time from the stamp"),
        ("Instant", "a decision replays; take the time from the stamp"),
        ("std::fs", "a domain does no I/O"),
        ("std::net", "a domain does no I/O"),
        ("std::thread", "a domain is a function; the runtime has the threads"),
        ("std::env::", "a decision depends on its input alone; add a setting"),
        ("async fn", "the kernel knows no async"),
        ("static mut", "a decision depends on its input alone"),
        ("RandomState", "a decision comes out the same every time"),
    ];
    for domain in domains() {
        for path in files(&root().join("processors/domains").join(domain).join("src"), "rs") {
            for (line, code) in code(&path) {
                for (word, why) in BANNED {
                    assert!(!code.contains(word), "{}:{line}: `{word}`: {why}", shown(&path));
                }
            }
        }
    }
}

#[test]
fn a_domain_has_schemas_tables_and_a_line_in_the_binary() {
    let main = text(&root().join("cli/src/main.rs"));
    for domain in domains() {
        let schemas = root().join("schemas").join(&domain);
        for name in ["commands.avsc", "events.avsc", "state.avsc", "views.cql"] {
            assert!(schemas.join(name).is_file(), "schemas/{domain}/{name} is missing");
        }
        // what is registered beside them is compared in processors/schemagen/tests/registered.rs
        let views = text(&schemas.join("views.cql"));
        let tables = millrace_kernel::table::parse_tables(&views);
        let tables = tables.unwrap_or_else(|error| panic!("schemas/{domain}/views.cql: {error}"));
        assert!(!tables.is_empty(), "schemas/{domain}/views.cql declares no table");
        let package = format!("millrace_domain_{domain}");
        assert!(main.contains(&package), "cli/src/main.rs does not name {package}");
    }
}

/// Domains are registered in `main.rs`; a domain's own subcommand is its own. So no edit of a domain builds the library.
#[test]
fn no_generic_file_names_a_domain() {
    for path in ["cli/lib/src", "gateway/src"].iter().flat_map(|folder| files(&root().join(folder), "rs")) {
        let name = shown(&path);
        let named = code(&path).into_iter().find(|(_, line)| {
            // what writes a new one names the one that it copies, and tests need one
            let may = ["new_domain.rs", "/tests.rs"].iter().any(|end| name.ends_with(end));
            line.contains("millrace_domain_") && !may
        });
        assert_eq!(named, None, "{name}");
    }
    let needed = dependencies(&root().join("cli/lib/Cargo.toml"), "dependencies");
    assert!(!needed.iter().any(|name| name.starts_with("millrace-domain-")), "{needed:?}");
}

#[test]
fn only_the_adapters_name_their_drivers() {
    let only = [
        ("rdkafka", "processors/kafka"),
        // the package for other programs has no adapter of ours to send with; it is optional there
        ("rdkafka", "sdk/rust"),
        ("scylla", "processors/scylla"),
        ("rusqlite", "processors/sqlite"),
        ("opentelemetry", "processors/telemetry"),
        ("prometheus", "processors/telemetry"),
    ];
    for manifest in files(root(), "toml").into_iter().filter(|path| path.ends_with("Cargo.toml")) {
        let name = shown(&manifest);
        // benchmarks compare what was chosen with what was not
        if name.starts_with("bench/") {
            continue;
        }
        for (driver, _) in only {
            let homes: Vec<&str> =
                only.iter().filter(|(it, _)| *it == driver).map(|(_, home)| *home).collect();
            for section in ["dependencies", "build-dependencies"] {
                let named = dependencies(&manifest, section).iter().any(|dependency| {
                    dependency == driver
                        || dependency.strip_prefix(driver).is_some_and(|rest| rest.starts_with(['-', '_']))
                });
                let is_home = homes.iter().any(|home| name.starts_with(home));
                assert!(!named || is_home, "{name} names {driver}; only {homes:?} may");
            }
        }
    }
}

/// Whoever sends commands in Rust gets nothing of the engine with them, and no driver that is not asked for.
#[test]
fn the_package_of_rust_is_apart_from_the_engine() {
    let manifest: toml::Table = text(&root().join("sdk/rust/Cargo.toml")).parse().unwrap();
    for (name, how) in manifest["dependencies"].as_table().unwrap() {
        assert!(!name.starts_with("millrace-"), "sdk/rust depends on {name}");
        let is_optional = how.get("optional").and_then(toml::Value::as_bool) == Some(true);
        let is_plain = ["base64", "serde_json", "sha1", "uuid"].contains(&name.as_str());
        assert!(is_plain || is_optional, "sdk/rust depends on {name} without being asked for it");
    }
}

#[test]
fn arrows_point_inward() {
    let allowed: [(&str, &[&str]); 10] = [
        ("processors/disk", &[]),
        ("processors/tls", &[]),
        ("processors/kernel", &[]),
        ("processors/ports", &["millrace-kernel"]),
        ("processors/wire", &["millrace-kernel", "millrace-tls"]),
        ("processors/runtime", &["millrace-kernel", "millrace-ports", "millrace-wire"]),
        ("processors/audit", &["millrace-kernel", "millrace-ports", "millrace-wire", "millrace-runtime"]),
        ("gateway", &["millrace-kernel", "millrace-ports", "millrace-wire", "millrace-runtime"]),
        ("processors/telemetry", &["millrace-runtime"]),
        ("processors/embedded", &["millrace-disk", "millrace-tls"]),
    ];
    for (folder, known) in allowed {
        let manifest = root().join(folder).join("Cargo.toml");
        for dependency in dependencies(&manifest, "dependencies") {
            assert!(
                !dependency.starts_with("millrace-") || known.contains(&dependency.as_str()),
                "{folder} depends on {dependency}, which lies further out"
            );
        }
    }
    for adapter in ["kafka", "scylla", "sqlite"] {
        let manifest = root().join("processors").join(adapter).join("Cargo.toml");
        for dependency in dependencies(&manifest, "dependencies") {
            let inner = ["millrace-kernel", "millrace-ports", "millrace-disk", "millrace-tls"];
            let is_inner = inner.contains(&dependency.as_str());
            assert!(
                !dependency.starts_with("millrace-") || is_inner,
                "processors/{adapter} depends on {dependency}: an adapter knows kernel, ports, disk and tls only"
            );
        }
    }
}

#[test]
fn names_on_the_disk_are_changed_in_one_place() {
    const BANNED: [&str; 7] = [
        "fs::rename(",
        "fs::write(",
        "fs::remove_",
        "fs::create_dir",
        "File::create",
        ".create(true)",
        ".create_new(true)",
    ];
    for folder in ["processors/embedded", "processors/localstate", "processors/sqlite", "cli"] {
        for path in files(&root().join(folder).join("src"), "rs") {
            // what fuzz targets call makes the files that are then read
            if ["_tests.rs", "fuzzing.rs"].iter().any(|end| path.to_string_lossy().ends_with(end)) {
                continue;
            }
            for (line, code) in code(&path) {
                for word in BANNED {
                    assert!(
                        !code.contains(word),
                        "{}:{line}: `{word}`: a loss of power undoes what was done to a name whose folder was \
                         not synced; use millrace-disk",
                        shown(&path)
                    );
                }
            }
        }
    }
}

/// The tests of a crate are one binary; what its `main.rs` does not name is never compiled.
#[test]
fn every_file_of_tests_is_run() {
    let mut count = 0;
    for main in files(root(), "rs").into_iter().filter(|path| path.ends_with("tests/main.rs")) {
        let named = text(&main);
        let folder = main.parent().expect("a folder");
        for entry in fs::read_dir(folder).expect("tests can be listed") {
            let path = entry.expect("an entry").path();
            let is_module =
                path.extension().is_some_and(|extension| extension == "rs") || path.join("mod.rs").exists();
            let module = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            if is_module && module != "main" {
                assert!(
                    named.contains(&format!("\nmod {module};\n")),
                    "{} names no `mod {module};`",
                    shown(&main)
                );
                count += 1;
            }
        }
    }
    assert!(count > 50, "{count} files of tests were found");
}

#[test]
fn every_module_says_what_it_is() {
    for folder in ["processors", "cli", "tests", "gateway"] {
        for path in files(&root().join(folder), "rs") {
            let text = text(&path);
            let first = text.lines().find(|line| !line.trim().is_empty() && !line.starts_with("#!["));
            assert!(
                first.is_some_and(|line| line.starts_with("//! ") && line.len() > "//! ".len()),
                "{} does not begin with a `//!` line",
                shown(&path)
            );
        }
    }
}

#[test]
fn banned_names_are_banned_below_as_well() {
    let bans = |path: &Path| -> Vec<String> {
        let file: toml::Table = text(path).parse().unwrap();
        let methods = file["disallowed-methods"].as_array().unwrap();
        for ban in methods {
            assert!(ban["reason"].as_str().is_some_and(|why| why.len() > 10), "{}: {ban}", shown(path));
        }
        methods.iter().map(|ban| ban["path"].as_str().unwrap().to_owned()).collect()
    };
    let of_root = bans(&root().join("clippy.toml"));
    // the two that may read the machine's clock, each of which says why
    let clocks = ["processors/ports/clippy.toml", "processors/embedded/clippy.toml"];
    for nested in files(&root().join("processors"), "toml") {
        if !nested.ends_with("clippy.toml") {
            continue;
        }
        let here = bans(&nested);
        for ban in &of_root {
            let excepted = ban == "std::time::SystemTime::now" && clocks.contains(&shown(&nested).as_str());
            assert!(here.contains(ban) || excepted, "{} does not repeat the ban of {ban}", shown(&nested));
        }
    }
}

#[test]
fn every_target_of_the_makefile_has_a_help_line() {
    for line in text(&root().join("Makefile")).lines() {
        let is_target = line.split_once(':').is_some_and(|(name, rest)| {
            !rest.starts_with('=')
                && !name.is_empty()
                && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
        });
        assert!(!is_target || line.contains("## "), "no help line: {line}");
    }
}
