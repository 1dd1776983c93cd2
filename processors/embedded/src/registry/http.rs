//! The REST interface: paths and JSON on one side, [`Core`] on the other.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body as HttpBody, Bytes, HttpBody as _, to_bytes};
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::by::By;
use super::compat::Level;
use super::core::{Core, Found, Mode, Show, Wanted};
use super::gate::{self, Gate};
use super::history;
use super::references::{Asked, Draft, Reference};
use super::refusal::Refusal;
use crate::net::places::{Doing, Place};

const CONTENT_TYPE: &str = "application/vnd.schemaregistry.v1+json";
/// A schema of a megabyte is a mistake; this leaves room for one.
const BODY_LIMIT_BYTES: usize = 8 << 20;

/// The registry as the handlers share it.
pub type Shared = Arc<Mutex<Core>>;
type Answer = Result<Value, Refusal>;
type Body = Result<Bytes, BytesRejection>;

/// All paths of the interface.
pub fn router(core: Shared, hosts: &[String]) -> Router {
    let gate = Arc::new(Gate::new(hosts));
    Router::new()
        .route("/", get(async || reply(Ok(json!({})))))
        .route("/contexts", get(async || reply(Ok(json!(["."])))))
        .route("/schemas", get(schemas))
        .route("/schemas/types", get(async || reply(Ok(json!(["AVRO"])))))
        .route("/schemas/ids/{id}", get(schema_by_id))
        .route("/schemas/ids/{id}/schema", get(schema_text_by_id))
        .route("/schemas/ids/{id}/subjects", get(subjects_by_id))
        .route("/schemas/ids/{id}/versions", get(versions_by_id))
        .route("/subjects", get(subjects))
        .route("/subjects/{subject}", post(lookup).delete(delete_subject))
        .route("/subjects/{subject}/versions", get(versions).post(register))
        .route("/subjects/{subject}/versions/{version}", get(version).delete(delete_version))
        .route("/subjects/{subject}/versions/{version}/schema", get(version_text))
        .route("/subjects/{subject}/versions/{version}/referencedby", get(referenced_by))
        .route("/compatibility/subjects/{subject}/versions", post(check_history))
        .route("/compatibility/subjects/{subject}/versions/{version}", post(check_version))
        .route("/config", get(level).put(set_level).delete(delete_level))
        .route("/config/{subject}", get(subject_level).put(set_subject_level).delete(delete_subject_level))
        .route("/mode", get(mode).put(set_mode))
        .route("/mode/{subject}", get(subject_mode).put(set_subject_mode).delete(delete_subject_mode))
        .fallback(async || reply(Err(Refusal::no_such_path())))
        .method_not_allowed_fallback(async || reply(Err(Refusal::no_such_method())))
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn(receive))
        .layer(from_fn_with_state(gate, gate::check))
        .layer(from_fn(content_type))
        .with_state(core)
}

/// Parameters of any request; values that are not understood are refused with the others' text, not ignored.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Options {
    deleted: Flag,
    deleted_only: Flag,
    permanent: Flag,
    verbose: Flag,
    default_to_global: Flag,
    latest_only: Flag,
    normalize: Flag,
    subject_prefix: Option<String>,
    offset: Option<usize>,
    limit: Option<i64>,
}

/// `true` in any case: some clients write it as their language does.
#[derive(Clone, Copy, Default)]
struct Flag(bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(String::deserialize(deserializer)?.eq_ignore_ascii_case("true")))
    }
}

impl Options {
    fn show(&self) -> Show {
        match (self.deleted_only.0, self.deleted.0) {
            (true, _) => Show::Hidden,
            (_, true) => Show::All,
            _ => Show::Live,
        }
    }

    fn page<T>(&self, items: Vec<T>) -> Vec<T> {
        let limit = self.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
        items.into_iter().skip(self.offset.unwrap_or(0)).take(limit).collect()
    }

    /// The prefix of subjects asked for; all contexts (`:*:`) and the default one (`:.:`) are the only one there is.
    fn prefix(&self) -> &str {
        let prefix = self.subject_prefix.as_deref().unwrap_or("");
        prefix.strip_prefix(":*:").or_else(|| prefix.strip_prefix(":.:")).unwrap_or(prefix)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SchemaRequest {
    schema: String,
    schema_type: Option<String>,
    #[serde(default)]
    references: Option<Vec<Asked>>,
    metadata: Option<Value>,
    rule_set: Option<Value>,
}

async fn schemas(State(core): State<Shared>, Query(options): Query<Options>) -> Response {
    with(core, move |core| {
        let mut all = Vec::new();
        for subject in core.subjects(options.prefix(), options.show()) {
            let versions = core.versions(&subject, options.show())?;
            let first = if options.latest_only.0 { versions.len().saturating_sub(1) } else { 0 };
            for &number in &versions[first..] {
                all.push(found(core.version(&subject, Wanted::Number(number), options.show())?));
            }
        }
        Ok(json!(options.page(all)))
    })
    .await
}

async fn schema_by_id(State(core): State<Shared>, Path(id): Path<String>) -> Response {
    with(core, move |core| with_references(core.schema(self::id(&id)?)?)).await
}

async fn schema_text_by_id(State(core): State<Shared>, Path(id): Path<String>) -> Response {
    with(core, move |core| text(core.schema(self::id(&id)?)?.0)).await
}

async fn subjects_by_id(
    State(core): State<Shared>,
    Path(id): Path<String>,
    Query(options): Query<Options>,
) -> Response {
    with(core, move |core| {
        core.schema(self::id(&id)?)?;
        let mut names: Vec<String> =
            core.uses(self::id(&id)?, options.show()).into_iter().map(|(subject, _)| subject).collect();
        names.dedup();
        Ok(json!(options.page(names)))
    })
    .await
}

async fn versions_by_id(
    State(core): State<Shared>,
    Path(id): Path<String>,
    Query(options): Query<Options>,
) -> Response {
    with(core, move |core| {
        core.schema(self::id(&id)?)?;
        let uses = core.uses(self::id(&id)?, options.show()).into_iter();
        let uses = uses.map(|(subject, version)| json!({"subject": subject, "version": version}));
        Ok(json!(options.page(uses.collect())))
    })
    .await
}

async fn subjects(State(core): State<Shared>, Query(options): Query<Options>) -> Response {
    with(core, move |core| Ok(json!(options.page(core.subjects(options.prefix(), options.show()))))).await
}

async fn lookup(
    State(core): State<Shared>,
    Path(subject): Path<String>,
    Query(options): Query<Options>,
    body: Body,
) -> Response {
    apart(move || history::lookup(&core, &subject, &schema(body, &options)?, options.show()).map(found)).await
}

async fn delete_subject(
    State(core): State<Shared>,
    Path(subject): Path<String>,
    Query(options): Query<Options>,
) -> Response {
    with(core, move |core| Ok(json!(core.delete_subject(&subject, options.permanent.0)?))).await
}

async fn versions(
    State(core): State<Shared>,
    Path(subject): Path<String>,
    Query(options): Query<Options>,
) -> Response {
    with(core, move |core| Ok(json!(options.page(core.versions(&subject, options.show())?)))).await
}

async fn register(
    State(core): State<Shared>,
    by: Option<Extension<By>>,
    Path(subject): Path<String>,
    Query(options): Query<Options>,
    body: Body,
) -> Response {
    let by = by.map(|Extension(by)| by).unwrap_or_default();
    apart(move || {
        let (id, _) = history::register(&core, &subject, &schema(body, &options)?, by)?;
        Ok(json!({"id": id}))
    })
    .await
}

async fn version(
    State(core): State<Shared>,
    Path((subject, version)): Path<(String, String)>,
    Query(options): Query<Options>,
) -> Response {
    with(core, move |core| core.version(&subject, wanted(&version)?, options.show()).map(found)).await
}

async fn version_text(
    State(core): State<Shared>,
    Path((subject, version)): Path<(String, String)>,
    Query(options): Query<Options>,
) -> Response {
    with(core, move |core| text(&core.version(&subject, wanted(&version)?, options.show())?.schema)).await
}

async fn referenced_by(
    State(core): State<Shared>,
    Path((subject, version)): Path<(String, String)>,
    Query(options): Query<Options>,
) -> Response {
    with(core, move |core| {
        let version = core.version(&subject, wanted(&version)?, Show::All)?.version;
        Ok(json!(options.page(core.referrers(&subject, version, options.show()))))
    })
    .await
}

async fn delete_version(
    State(core): State<Shared>,
    Path((subject, version)): Path<(String, String)>,
    Query(options): Query<Options>,
) -> Response {
    with(core, move |core| {
        Ok(json!(core.delete_version(&subject, wanted(&version)?, options.permanent.0)?))
    })
    .await
}

async fn check_history(
    State(core): State<Shared>,
    Path(subject): Path<String>,
    Query(options): Query<Options>,
    body: Body,
) -> Response {
    apart(move || Ok(verdict(history::check(&core, &subject, &schema(body, &options)?, None)?, &options)))
        .await
}

async fn check_version(
    State(core): State<Shared>,
    Path((subject, version)): Path<(String, String)>,
    Query(options): Query<Options>,
    body: Body,
) -> Response {
    apart(move || {
        let problems = history::check(&core, &subject, &schema(body, &options)?, Some(wanted(&version)?))?;
        Ok(verdict(problems, &options))
    })
    .await
}

async fn level(State(core): State<Shared>) -> Response {
    with(core, |core| Ok(json!({"compatibilityLevel": core.level(None)}))).await
}

async fn set_level(State(core): State<Shared>, body: Body) -> Response {
    with(core, move |core| put_level(core, None, body)).await
}

async fn delete_level(State(core): State<Shared>) -> Response {
    with(core, |core| {
        let before = core.level(None);
        core.set_level(None, None)?;
        Ok(json!({"compatibilityLevel": before}))
    })
    .await
}

async fn subject_level(
    State(core): State<Shared>,
    Path(subject): Path<String>,
    Query(options): Query<Options>,
) -> Response {
    with(core, move |core| {
        let own = core.level(Some(&subject));
        let level = if options.default_to_global.0 { Some(core.effective_level(&subject)) } else { own };
        let level = level.ok_or_else(|| Refusal::no_level(&subject))?;
        Ok(json!({"compatibilityLevel": level}))
    })
    .await
}

async fn set_subject_level(State(core): State<Shared>, Path(subject): Path<String>, body: Body) -> Response {
    with(core, move |core| put_level(core, Some(&subject), body)).await
}

async fn delete_subject_level(State(core): State<Shared>, Path(subject): Path<String>) -> Response {
    with(core, move |core| {
        let before = core.level(Some(&subject)).ok_or_else(|| Refusal::no_level(&subject))?;
        core.set_level(Some(&subject), None)?;
        Ok(json!({"compatibilityLevel": before}))
    })
    .await
}

async fn mode(State(core): State<Shared>) -> Response {
    with(core, |core| Ok(json!({"mode": core.mode(None)}))).await
}

async fn set_mode(State(core): State<Shared>, body: Body) -> Response {
    with(core, move |core| put_mode(core, None, body)).await
}

async fn subject_mode(
    State(core): State<Shared>,
    Path(subject): Path<String>,
    Query(options): Query<Options>,
) -> Response {
    with(core, move |core| {
        let own = core.mode(Some(&subject));
        let mode = if options.default_to_global.0 { Some(core.effective_mode(&subject)) } else { own };
        Ok(json!({"mode": mode.ok_or_else(|| Refusal::no_mode(&subject))?}))
    })
    .await
}

async fn set_subject_mode(State(core): State<Shared>, Path(subject): Path<String>, body: Body) -> Response {
    with(core, move |core| put_mode(core, Some(&subject), body)).await
}

async fn delete_subject_mode(State(core): State<Shared>, Path(subject): Path<String>) -> Response {
    with(core, move |core| {
        let before = core.mode(Some(&subject)).ok_or_else(|| Refusal::no_mode(&subject))?;
        core.set_mode(Some(&subject), None)?;
        Ok(json!({"mode": before}))
    })
    .await
}

fn put_level(core: &mut Core, subject: Option<&str>, body: Body) -> Answer {
    let text = member(body, "compatibility")?;
    let level: Level = text.parse().map_err(|()| Refusal::invalid_level(&text))?;
    core.set_level(subject, Some(level))?;
    Ok(json!({"compatibility": level}))
}

fn put_mode(core: &mut Core, subject: Option<&str>, body: Body) -> Answer {
    let text = member(body, "mode")?;
    let mode = match text.to_ascii_uppercase().as_str() {
        "READWRITE" => Mode::ReadWrite,
        "READONLY" => Mode::ReadOnly,
        _ => return Err(Refusal::invalid_mode(&text)),
    };
    core.set_mode(subject, Some(mode))?;
    Ok(json!({"mode": mode}))
}

/// Runs a request's work on what the registry knows, which nobody else touches meanwhile: only what takes no time that
/// grows with a client's schema.
async fn with(core: Shared, work: impl FnOnce(&mut Core) -> Answer + Send + 'static) -> Response {
    // A change is written down before it is made and makes no half steps, so a poisoned lock guards good data.
    apart(move || work(&mut core.lock().unwrap_or_else(PoisonError::into_inner))).await
}

/// Runs a request's work where it may compute and wait for the disk, and turns its result into a response.
async fn apart(work: impl FnOnce() -> Answer + Send + 'static) -> Response {
    // The fuzzer has nobody to keep waiting, and two changes of threads cost it more than most requests.
    if cfg!(fuzzing) {
        return reply(work());
    }
    let done = tokio::task::spawn_blocking(work);
    reply(done.await.unwrap_or_else(|error| Err(Refusal::store(&error))))
}

pub(super) fn reply(answer: Answer) -> Response {
    let (status, body) = match answer {
        Ok(body) => (200, body),
        Err(refusal) => (refusal.status, json!({"error_code": refusal.code, "message": refusal.message})),
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, CONTENT_TYPE)], body.to_string()).into_response()
}

/// Receives the body of a request, within its bounds of size and time.
async fn receive(request: Request, next: Next) -> Response {
    let place = request.extensions().get::<Arc<Place>>().cloned();
    let (parts, body) = request.into_parts();
    let promised = body.size_hint().upper().and_then(|upper| usize::try_from(upper).ok());
    let promised = promised.unwrap_or(BODY_LIMIT_BYTES);
    if promised > BODY_LIMIT_BYTES {
        return reply(Err(Refusal::too_large(&format!("its body has more than {BODY_LIMIT_BYTES} bytes"))));
    }
    let Some(place) = place else {
        return next.run(Request::from_parts(parts, body)).await;
    };
    // Until it is here the client may be at fault, and loses what it holds when another needs that.
    place.does(Doing::Idle);
    let within = place.limits().stalled;
    let mut in_flight = place.count(0);
    let received = tokio::time::timeout(within, async {
        place.waits(true);
        place.wait_for(&mut in_flight, promised).await;
        place.waits(false);
        to_bytes(body, BODY_LIMIT_BYTES).await
    });
    let received = received.await;
    place.does(Doing::Asking);
    match received {
        Ok(Ok(bytes)) => next.run(Request::from_parts(parts, HttpBody::from(bytes))).await,
        Ok(Err(error)) if is_too_large(&error) => reply(Err(Refusal::too_large(&error))),
        Ok(Err(error)) => reply(Err(Refusal::bad_request(&error))),
        Err(_) => {
            let mut response = reply(Err(Refusal::too_slow(within)));
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            response
        }
    }
}

fn is_too_large(error: &axum::Error) -> bool {
    let mut causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    causes.any(|cause| cause.to_string().contains("limit exceeded"))
}

/// Answers a client that only knows plain JSON in plain JSON, and gives every refusal of the framework the same form.
async fn content_type(request: Request, next: Next) -> Response {
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("");
    let plain = accept.contains("application/json") && !accept.contains("schemaregistry");
    let mut response = next.run(request).await;
    let ours = response.headers().get(header::CONTENT_TYPE).is_some_and(|value| value == CONTENT_TYPE);
    if !ours && response.status().is_client_error() {
        response = reply(Err(Refusal::bad_request(&"a parameter has no valid value")));
    }
    if plain {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    response
}

/// The schema of a request's body.
fn schema(body: Body, options: &Options) -> Result<Draft, Refusal> {
    let request: SchemaRequest =
        serde_json::from_slice(&bytes(body)?).map_err(|e| Refusal::bad_request(&e))?;
    match request.schema_type.as_deref() {
        None | Some("AVRO") => {}
        Some(other) => {
            let problem = format!("the type {other} is not supported, only AVRO is");
            return Err(Refusal::invalid_schema(&problem));
        }
    }
    // Rules that nobody applies would be taken for applied.
    for (name, member) in [("metadata", request.metadata), ("ruleSet", request.rule_set)] {
        if member.is_some_and(|member| is_meant(&member)) {
            return Err(Refusal::unsupported(name));
        }
    }
    let references = request.references.unwrap_or_default();
    Ok(Draft { text: request.schema, references, normalize: options.normalize.0 })
}

/// Whether a member says anything.
fn is_meant(member: &Value) -> bool {
    !matches!(member, Value::Null | Value::Bool(false)) && *member != json!({}) && *member != json!([])
}

/// A text member of a request's body, which has no other; empty if it is not there.
fn member(body: Body, name: &str) -> Result<String, Refusal> {
    let value: Value = serde_json::from_slice(&bytes(body)?).map_err(|e| Refusal::bad_request(&e))?;
    let others = value.as_object().into_iter().flatten();
    if let Some((other, _)) = others.into_iter().find(|(key, value)| *key != name && is_meant(value)) {
        return Err(Refusal::unsupported(other));
    }
    Ok(value[name].as_str().unwrap_or("").to_owned())
}

fn bytes(body: Body) -> Result<Bytes, Refusal> {
    body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Refusal::too_large(&rejection),
        _ => Refusal::bad_request(&rejection),
    })
}

fn wanted(text: &str) -> Result<Wanted, Refusal> {
    match text.parse::<i32>() {
        // −1 is how the protocol's own clients spell it.
        _ if text == "latest" || text == "-1" => Ok(Wanted::Latest),
        Ok(number) if number > 0 => Ok(Wanted::Number(number.unsigned_abs())),
        _ => Err(Refusal::invalid_version(text)),
    }
}

fn id(text: &str) -> Result<u32, Refusal> {
    text.parse().map_err(|_| Refusal::schema_not_found())
}

fn with_references((schema, references): (&str, &[Reference])) -> Answer {
    Ok(if references.is_empty() {
        json!({"schema": schema})
    } else {
        json!({"schema": schema, "references": references})
    })
}

fn found(found: Found) -> Value {
    let mut all =
        json!({"subject": found.subject, "version": found.version, "id": found.id, "schema": found.schema});
    if !found.references.is_empty() {
        all["references"] = json!(found.references);
    }
    all
}

/// A schema as the answer itself.
fn text(schema: &str) -> Answer {
    serde_json::from_str(schema).map_err(|error| Refusal::store(&error))
}

fn verdict(problems: Vec<String>, options: &Options) -> Value {
    let compatible = problems.is_empty();
    if options.verbose.0 {
        json!({"is_compatible": compatible, "messages": problems})
    } else {
        json!({"is_compatible": compatible})
    }
}
