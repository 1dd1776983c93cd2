//! Static pages: files that the binary brings, each answered from memory. Who asks is not looked at: there is nobody's data in
//! them, and what they show they ask for as everybody does.

use std::io::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use flate2::Compression;
use flate2::write::GzEncoder;
use openssl::sha::sha256;

/// A file of the pages.
#[derive(Clone, Copy, Debug)]
pub struct PageFile {
    /// Its path below the folder of all of them: `shop.html`, `assets/shop-1a2b.js`.
    pub path: &'static str,
    /// What is in it.
    pub bytes: &'static [u8],
}

/// What a page may load and who may frame it: what comes from here, and nobody. No script within a page, no `eval`.
const POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'; \
                      require-trusted-types-for 'script'";
/// Files in this folder have a digest of what is in them in their names.
const NAMED_BY_CONTENT: &str = "assets/";
/// They never change.
const FOREVER: &str = "public, max-age=31536000, immutable";
/// Others may with each build: asked for anew, and mostly answered with 304.
const ASKED_ANEW: &str = "no-cache";

/// A file as it is answered.
struct Served {
    kind: &'static str,
    caching: &'static str,
    plain: Body,
    gzip: Option<Body>,
}

struct Body {
    bytes: Bytes,
    tag: HeaderValue,
}

/// The routes of these files: `index.html` is `/`, `shop.html` is `/shop`, all others have their paths.
pub(crate) fn router(files: &[PageFile]) -> Router {
    let mut router = Router::new();
    for file in files {
        let served = Arc::new(Served::of(file));
        let answer = move |headers: HeaderMap| {
            let served = Arc::clone(&served);
            async move { served.answer(&headers) }
        };
        let address = address(file.path);
        if file.path.ends_with(".html") && address != "/" {
            let page = address.clone();
            // how some write it; a page below it would not find what it loads
            router =
                router.route(&format!("{address}/"), get(move || async move { Redirect::permanent(&page) }));
        }
        router = router.route(&address, get(answer));
    }
    router
}

fn address(path: &str) -> String {
    match path.strip_suffix(".html") {
        Some("index") => "/".to_owned(),
        Some(page) => format!("/{page}"),
        None => format!("/{path}"),
    }
}

impl Served {
    fn of(file: &PageFile) -> Self {
        let (kind, is_text) = kind(file.path);
        let digest: String = sha256(file.bytes)[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        let packed = is_text.then(|| gzip(file.bytes)).flatten();
        let packed = packed.filter(|packed| packed.len() < file.bytes.len());
        let caching = if file.path.starts_with(NAMED_BY_CONTENT) { FOREVER } else { ASKED_ANEW };
        Self {
            kind,
            caching,
            plain: Body { bytes: Bytes::from_static(file.bytes), tag: tag(&digest) },
            // the same file in other bytes is another one to caches
            gzip: packed.map(|bytes| Body { bytes: bytes.into(), tag: tag(&format!("{digest}-gzip")) }),
        }
    }

    fn answer(&self, asked: &HeaderMap) -> Response {
        let packed = self.gzip.as_ref().filter(|_| takes_gzip(asked));
        let body = packed.unwrap_or(&self.plain);
        let mut response = match is_known(asked, &body.tag) {
            true => StatusCode::NOT_MODIFIED.into_response(),
            false => body.bytes.clone().into_response(),
        };
        let headers = response.headers_mut();
        headers.insert(header::ETAG, body.tag.clone());
        let mut say =
            |name: HeaderName, value: &'static str| headers.insert(name, HeaderValue::from_static(value));
        say(header::CONTENT_TYPE, self.kind);
        say(header::CACHE_CONTROL, self.caching);
        say(header::VARY, "Accept-Encoding");
        if packed.is_some() {
            say(header::CONTENT_ENCODING, "gzip");
        }
        say(header::CONTENT_SECURITY_POLICY, POLICY);
        say(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
        say(header::REFERRER_POLICY, "no-referrer");
        say(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
        response
    }
}

/// The media type by the file's ending, and whether it is text, which becomes smaller.
fn kind(path: &str) -> (&'static str, bool) {
    match path.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => ("text/html; charset=utf-8", true),
        Some("js") => ("text/javascript; charset=utf-8", true),
        Some("css") => ("text/css; charset=utf-8", true),
        Some("svg") => ("image/svg+xml", true),
        Some("json") => ("application/json", true),
        Some("txt") => ("text/plain; charset=utf-8", true),
        Some("png") => ("image/png", false),
        Some("woff2") => ("font/woff2", false),
        _ => ("application/octet-stream", false),
    }
}

fn tag(text: &str) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{text}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

fn gzip(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok()
}

/// What stands between commas in all headers of a name.
fn listed(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    let codings: Vec<&str> = listed(headers, header::ACCEPT_ENCODING).collect();
    let is_taken = |wanted: &str| {
        codings.iter().find_map(|coding| {
            let mut parts = coding.split(';').map(str::trim);
            parts.next().filter(|name| name.eq_ignore_ascii_case(wanted))?;
            let weight = parts.find_map(|part| part.strip_prefix("q="));
            Some(weight.is_none_or(|weight| weight.parse::<f32>().is_ok_and(|weight| weight > 0.0)))
        })
    };
    is_taken("gzip").or_else(|| is_taken("*")).unwrap_or(false)
}

fn is_known(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    // of what is only read, a weak tag is as good
    let mut known = listed(headers, header::IF_NONE_MATCH).map(|known| known.trim_start_matches("W/"));
    known.any(|known| known == "*" || known.as_bytes() == tag.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use axum::body::{Body as Asked, to_bytes};
    use axum::http::{Method, Request};
    use flate2::read::GzDecoder;
    use tower::ServiceExt as _;

    use super::*;

    const SCRIPT: &[u8] = b"console.log(1); console.log(1); console.log(1); console.log(1); console.log(1);";
    const FILES: [PageFile; 4] = [
        PageFile { path: "index.html", bytes: b"<!doctype html><title>x</title>" },
        PageFile { path: "shop.html", bytes: b"<!doctype html>shop" },
        PageFile { path: "assets/shop-1a.js", bytes: SCRIPT },
        PageFile { path: "favicon.svg", bytes: b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>" },
    ];

    fn ask(method: Method, address: &str, headers: &[(&str, &str)]) -> (Response, Vec<u8>) {
        let mut asked = Request::builder().method(method).uri(address);
        for (name, value) in headers {
            asked = asked.header(*name, *value);
        }
        let asked = asked.body(Asked::empty()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (parts, body) = router(&FILES).oneshot(asked).await.unwrap().into_parts();
            let bytes = to_bytes(body, 1 << 20).await.unwrap().to_vec();
            (Response::from_parts(parts, Asked::empty()), bytes)
        })
    }

    fn said<'r>(response: &'r Response, name: &str) -> &'r str {
        response.headers().get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    #[test]
    fn every_file_has_its_address_and_its_type() {
        for (address, kind, caching) in [
            ("/", "text/html; charset=utf-8", "no-cache"),
            ("/shop", "text/html; charset=utf-8", "no-cache"),
            ("/assets/shop-1a.js", "text/javascript; charset=utf-8", FOREVER),
            ("/favicon.svg", "image/svg+xml", "no-cache"),
        ] {
            let (response, bytes) = ask(Method::GET, address, &[]);
            assert_eq!(
                (response.status(), said(&response, "content-type")),
                (StatusCode::OK, kind),
                "{address}"
            );
            assert_eq!(said(&response, "cache-control"), caching, "{address}");
            assert!(FILES.iter().any(|file| file.bytes == bytes), "{address}");
        }
        for unknown in [
            "/shop.html",
            "/index.html",
            "/assets",
            "/assets/",
            "/../Cargo.toml",
            "/assets/%2e%2e/index.html",
        ] {
            assert_eq!(ask(Method::GET, unknown, &[]).0.status(), StatusCode::NOT_FOUND, "{unknown}");
        }
        let (response, _) = ask(Method::GET, "/shop/", &[]);
        assert_eq!((response.status().as_u16(), said(&response, "location")), (308, "/shop"));
    }

    #[test]
    fn nothing_but_what_comes_from_here_may_run_in_a_page() {
        for (address, status) in [("/", 200), ("/assets/shop-1a.js", 200), ("/shop", 304)] {
            let known = [("if-none-match", "*")];
            let (response, _) = ask(Method::GET, address, if status == 304 { &known } else { &[] });
            assert_eq!(response.status().as_u16(), status);
            let policy = said(&response, "content-security-policy");
            assert!(
                policy.starts_with("default-src 'self';") && policy.contains("frame-ancestors 'none'"),
                "{policy}"
            );
            assert!(!policy.contains("unsafe"), "{policy}");
            assert_eq!(said(&response, "x-content-type-options"), "nosniff");
            assert_eq!(said(&response, "referrer-policy"), "no-referrer");
        }
    }

    #[test]
    fn what_is_known_is_not_sent_again() {
        let (response, bytes) = ask(Method::GET, "/assets/shop-1a.js", &[]);
        let tag = said(&response, "etag").to_owned();
        assert_eq!((bytes, said(&response, "content-encoding")), (SCRIPT.to_vec(), ""));
        for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
            let (response, bytes) = ask(Method::GET, "/assets/shop-1a.js", &[("if-none-match", &known)]);
            assert_eq!((response.status().as_u16(), bytes.len()), (304, 0), "{known}");
            assert_eq!(said(&response, "etag"), tag);
        }
        let (response, _) = ask(Method::GET, "/assets/shop-1a.js", &[("if-none-match", "\"other\"")]);
        assert_eq!(response.status().as_u16(), 200);
        // packed it is other bytes, under another tag
        let packed = [("accept-encoding", "br, gzip")];
        let (response, bytes) = ask(Method::GET, "/assets/shop-1a.js", &packed);
        assert_eq!(
            (said(&response, "content-encoding"), said(&response, "vary")),
            ("gzip", "Accept-Encoding")
        );
        assert_ne!(said(&response, "etag"), tag);
        let mut read = Vec::new();
        GzDecoder::new(&bytes[..]).read_to_end(&mut read).unwrap();
        assert_eq!(read, SCRIPT);
    }

    #[test]
    fn it_is_packed_for_those_who_take_it() {
        for (accepted, is_packed) in [
            ("gzip", true),
            ("*", true),
            ("GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("gzip;q=0, *", false),
            ("br", false),
        ] {
            let (response, _) = ask(Method::GET, "/assets/shop-1a.js", &[("accept-encoding", accepted)]);
            assert_eq!(said(&response, "content-encoding") == "gzip", is_packed, "{accepted}");
        }
        // what would grow is sent as it is
        let (response, _) = ask(Method::GET, "/shop", &[("accept-encoding", "gzip")]);
        assert_eq!(said(&response, "content-encoding"), "");
    }

    #[test]
    fn head_is_get_without_the_body_and_nothing_else_is_taken() {
        let (response, bytes) = ask(Method::HEAD, "/shop", &[]);
        assert_eq!(
            (response.status().as_u16(), bytes.len(), said(&response, "content-length")),
            (200, 0, "19")
        );
        let (response, _) = ask(Method::POST, "/shop", &[]);
        assert_eq!((response.status().as_u16(), said(&response, "allow")), (405, "GET,HEAD"));
    }
}
