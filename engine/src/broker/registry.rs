//! The embedded registry's HTTP side: requests of Confluent's REST API to calls of the store.

use std::io::Read;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use serde_json::{Value, json};
use tiny_http::{Request, Server};

use super::store::{Level, Refused, Store, Version};
use super::{BrokerError, listen};
use crate::http::respond;

const WHAT: &str = "the embedded schema registry";

/// Longest request body that is read, in bytes.
const BODY_LIMIT_BYTES: u64 = 1024 * 1024;

const CONTENT_TYPE: &str = "application/vnd.schemaregistry.v1+json";

/// Apicurio serves Confluent's API below this path; here both it and the root work, so that a
/// configuration written for Apicurio need not change.
const APICURIO_PATH: [&str; 3] = ["apis", "ccompat", "v7"];

/// A schema registry in this process, for this machine; it forgets everything when dropped.
///
/// Speaks the part of Confluent's REST API that producers and consumers use: register, look up,
/// get by id, list, compatibility checks and levels (BACKWARD unless set). Ids are global, the same
/// schema has the same id under every subject. Avro only, without references between schemas, and
/// nothing can be deleted. Compatibility is decided by apache-avro, which is stricter than Java's
/// in one point: a reader's enum default does not make up for a missing symbol.
pub struct EmbeddedRegistry {
    addr: SocketAddr,
    server: Arc<Server>,
    stop: Arc<AtomicBool>,
    serving: Option<JoinHandle<()>>,
}

impl EmbeddedRegistry {
    /// Starts an empty registry at `addr`, an address of the loopback interface; port 0 takes any
    /// free one.
    ///
    /// # Errors
    /// [`BrokerError::NotLoopback`], or [`BrokerError::Listen`] when the port is taken.
    pub fn start(addr: SocketAddr) -> Result<Self, BrokerError> {
        let taken = |reason| BrokerError::Listen { what: WHAT, addr, reason };
        let listener = listen(WHAT, addr)?;
        let bound = listener.local_addr().map_err(taken)?;
        let server = Server::from_listener(listener, None).map_err(|error| taken(std::io::Error::other(error)))?;
        let server = Arc::new(server);
        let stop = Arc::new(AtomicBool::new(false));
        let serving = {
            let (server, stop) = (Arc::clone(&server), Arc::clone(&stop));
            thread::Builder::new()
                .name("k2-registry".to_owned())
                .spawn(move || serve(&server, &stop))
                .map_err(|reason| BrokerError::Thread { what: WHAT, reason })?
        };
        Ok(Self { addr: bound, server, stop, serving: Some(serving) })
    }

    /// Its URL: the value of clients' `schema.registry.url`.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }
}

impl Drop for EmbeddedRegistry {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.server.unblock();
        if let Some(serving) = self.serving.take() {
            let _ = serving.join();
        }
    }
}

impl std::fmt::Debug for EmbeddedRegistry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmbeddedRegistry").field("url", &self.url()).finish_non_exhaustive()
    }
}

fn serve(server: &Server, stop: &AtomicBool) {
    let store = Arc::new(Mutex::new(Store::new()));
    loop {
        let request = match server.recv() {
            Ok(request) => request,
            Err(_) if stop.load(Ordering::Acquire) => return,
            Err(error) => {
                tracing::error!(%error, "the embedded schema registry ended");
                return;
            }
        };
        let store = Arc::clone(&store);
        // A thread for each, so that a client that stalls within its request holds up neither the
        // others nor the end. When there is none, dropping the request answers it with a 500.
        let handled = thread::Builder::new().name("k2-registry".to_owned()).spawn(move || handle(request, &store));
        if let Err(error) = handled {
            tracing::warn!(%error, "no thread for a request to the embedded schema registry");
        }
    }
}

fn handle(mut request: Request, store: &Mutex<Store>) {
    let mut body = String::new();
    let read = request.as_reader().take(BODY_LIMIT_BYTES + 1).read_to_string(&mut body);
    let (status, answer) = match read {
        Err(error) => refusal(400, 400, &format!("the body cannot be read: {error}")),
        Ok(size) if size as u64 > BODY_LIMIT_BYTES => {
            refusal(413, 413, &format!("the body is longer than {BODY_LIMIT_BYTES} bytes"))
        }
        Ok(_) => {
            let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
            answer(&mut store, request.method().as_str(), request.url(), &body)
        }
    };
    respond(request, status, CONTENT_TYPE, answer.to_string());
}

/// HTTP status and body.
type Answer = (u16, Value);

fn refusal(status: u16, code: u32, message: &str) -> Answer {
    (status, json!({ "error_code": code, "message": message }))
}

impl From<Refused> for Answer {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::NoSubject(message) => refusal(404, 40401, &message),
            Refused::NoVersion(message) => refusal(404, 40402, &message),
            Refused::NoSchema(message) => refusal(404, 40403, &message),
            Refused::Invalid(message) => refusal(422, 42201, &message),
            Refused::Incompatible(subject, reasons) => {
                let details = reasons.join("; ");
                let message = format!(
                    "Schema being registered is incompatible with an earlier schema for subject \
                     \"{subject}\", details: [{details}]"
                );
                refusal(409, 409, &message)
            }
        }
    }
}

/// The answer to one request; `url` is path and query as sent.
fn answer(store: &mut Store, method: &str, url: &str, body: &str) -> Answer {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let decoded: Vec<String> = path.split('/').filter(|part| !part.is_empty()).map(percent_decode).collect();
    let path: Vec<&str> = decoded.iter().map(String::as_str).collect();
    let path = path.strip_prefix(&APICURIO_PATH).unwrap_or(&path);
    let asks = |flag: &str| query.split('&').any(|pair| pair == format!("{flag}=true"));
    let answered = match (method, path) {
        ("GET", []) => Ok(json!({})),
        ("GET", ["schemas", "types"]) => Ok(json!(["AVRO"])),
        ("GET", ["schemas", "ids", id]) => by_id(store, id),
        ("GET", ["subjects"]) => Ok(json!(store.subjects())),
        ("POST", ["subjects", subject]) => lookup(store, subject, body),
        ("GET", ["subjects", subject, "versions"]) => {
            store.versions(subject).map(|all| json!(all)).map_err(Answer::from)
        }
        ("POST", ["subjects", subject, "versions"]) => register(store, subject, body),
        ("GET", ["subjects", subject, "versions", number]) => version(store, subject, number),
        ("POST", ["compatibility", "subjects", subject, "versions", number]) => {
            compatible(store, subject, number, body, asks("verbose"))
        }
        ("GET", ["config"]) => Ok(json!({ "compatibilityLevel": store.global.name })),
        ("PUT", ["config"]) => set_level(body, |level| store.global = level),
        ("GET", ["config", subject]) => own_level(store, subject, asks("defaultToGlobal")),
        ("PUT", ["config", subject]) => set_level(body, |level| {
            store.levels.insert((*subject).to_owned(), level);
        }),
        ("GET" | "POST" | "PUT", _) => Err(refusal(404, 404, "HTTP 404 Not Found")),
        _ => Err(refusal(405, 405, "the embedded registry knows GET, POST and PUT only")),
    };
    answered.map_or_else(|refused| refused, |value| (200, value))
}

fn by_id(store: &Store, id: &str) -> Result<Value, Answer> {
    let id = id.parse().map_err(|_| refusal(404, 404, "HTTP 404 Not Found"))?;
    Ok(json!({ "schema": store.schema(id)?.text }))
}

fn lookup(store: &Store, subject: &str, body: &str) -> Result<Value, Answer> {
    // Confluent looks for the subject before it reads the schema.
    store.versions(subject)?;
    let version = store.lookup(subject, &schema_of(body)?)?;
    Ok(described(subject, &version))
}

fn version(store: &Store, subject: &str, number: &str) -> Result<Value, Answer> {
    let version = store.version(subject, version_number(number)?)?;
    Ok(described(subject, &version))
}

fn register(store: &mut Store, subject: &str, body: &str) -> Result<Value, Answer> {
    let id = store.register(subject, &schema_of(body)?)?;
    Ok(json!({ "id": id }))
}

fn compatible(store: &Store, subject: &str, number: &str, body: &str, verbose: bool) -> Result<Value, Answer> {
    let reasons = store.check(subject, version_number(number)?, &schema_of(body)?)?;
    let mut verdict = json!({ "is_compatible": reasons.is_empty() });
    if verbose {
        verdict["messages"] = json!(reasons);
    }
    Ok(verdict)
}

fn own_level(store: &Store, subject: &str, or_global: bool) -> Result<Value, Answer> {
    if !or_global && !store.levels.contains_key(subject) {
        let message = format!("Subject '{subject}' does not have subject-level compatibility configured");
        return Err(refusal(404, 40408, &message));
    }
    Ok(json!({ "compatibilityLevel": store.level(subject).name }))
}

fn set_level(body: &str, set: impl FnOnce(Level)) -> Result<Value, Answer> {
    let asked = json_of(body)?;
    let level = asked["compatibility"].as_str().and_then(Level::named).ok_or_else(|| {
        let message = "Invalid compatibility level. Valid values are none, backward, forward, \
                       full, backward_transitive, forward_transitive, and full_transitive";
        refusal(422, 42203, message)
    })?;
    set(level);
    Ok(json!({ "compatibility": level.name }))
}

fn described(subject: &str, version: &Version<'_>) -> Value {
    json!({
        "subject": subject,
        "version": version.number,
        "id": version.schema.id,
        "schema": version.schema.text,
    })
}

/// `None` for the latest version, which is also written -1.
fn version_number(text: &str) -> Result<Option<usize>, Answer> {
    if text == "latest" || text == "-1" {
        return Ok(None);
    }
    match text.parse() {
        Ok(number) if number > 0 => Ok(Some(number)),
        _ => {
            let message = format!(
                "The specified version '{text}' is not a valid version id. Allowed values are \
                 between [1, 2^31-1] and the string \"latest\""
            );
            Err(refusal(422, 42202, &message))
        }
    }
}

fn json_of(body: &str) -> Result<Value, Answer> {
    serde_json::from_str(body).map_err(|error| refusal(400, 400, &format!("the body is not JSON: {error}")))
}

/// The schema's text in a request body.
fn schema_of(body: &str) -> Result<String, Answer> {
    let asked = json_of(body)?;
    let invalid = |message: &str| refusal(422, 42201, message);
    if asked["schemaType"].as_str().is_some_and(|kind| kind != "AVRO") {
        return Err(invalid("Invalid schema: the embedded registry takes schemaType AVRO only"));
    }
    if asked["references"].as_array().is_some_and(|list| !list.is_empty()) {
        return Err(invalid("Invalid schema: the embedded registry takes no references"));
    }
    match asked["schema"].as_str() {
        Some(schema) if !schema.trim().is_empty() => Ok(schema.to_owned()),
        _ => Err(invalid("Invalid schema: Empty schema")),
    }
}

/// Undoes percent-encoding; what is none stays as it is.
fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digits = text.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                at += 3;
            }
            None => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
