//! What a running engine shows to whoever asks: metrics, health, status.
//!
//! Two threads of their own on the housekeeping CPUs answer from what was collected last, so that a request costs the pinned
//! cores nothing.

pub mod client;
pub mod exposed;
pub mod status;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use tiny_http::{Header, Method, Request, Response, Server};

use crate::cores::CpuSet;
use crate::metrics;
pub use exposed::Exposed;
use status::Status;

/// Whether the cores make progress: 200 or 503, with the reasons.
pub const LIVE: &str = "/livez";
/// Whether trades are subscribed and can be published: 200 or 503, with the reasons.
pub const READY: &str = "/readyz";
/// For Prometheus, in its text format.
pub const METRICS: &str = "/metrics";
/// [`Status`] as JSON.
pub const STATUS: &str = "/status";
const PATHS: [&str; 4] = [LIVE, READY, METRICS, STATUS];

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

/// Requests that are answered at a time; who reads its answer slowly holds up no more than one.
const THREADS: usize = 2;

/// Answers until it is dropped.
pub struct HttpServer {
    address: SocketAddr,
    server: Arc<Server>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// Status, kind and body.
type Answer = (u16, &'static str, String);

impl HttpServer {
    /// Listens at `address`, port 0 for any free one, and answers on `cpus` from what is `exposed`.
    ///
    /// # Errors
    /// If the address is taken, or not ours to take, or no thread can be made.
    pub fn start(address: SocketAddr, exposed: &Arc<Exposed>, cpus: CpuSet) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        // The threads that it starts inherit their CPUs.
        let server = cpus.run(|| Server::from_listener(listener, None)).map_err(io::Error::other)?;
        let server = Arc::new(server);
        let stop = Arc::new(AtomicBool::new(false));
        let mut http = HttpServer { address, server, stop, threads: Vec::new() };
        for _ in 0..THREADS {
            let (server, stop, exposed, cpus) = (http.server.clone(), http.stop.clone(), exposed.clone(), cpus.clone());
            let serve = move || {
                cpus.apply();
                serve(&server, &stop, &exposed);
            };
            http.threads.push(std::thread::Builder::new().name("k2-http".into()).spawn(serve)?);
        }
        Ok(http)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.threads.iter().for_each(|_| self.server.unblock());
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn serve(server: &Server, stop: &AtomicBool, exposed: &Exposed) {
    while !stop.load(Ordering::Acquire) {
        match server.recv() {
            Ok(request) => answer(request, exposed),
            // It is told to stop, or a connection broke before it had asked.
            Err(error) if !stop.load(Ordering::Acquire) => tracing::debug!("http: {error}"),
            Err(_) => {}
        }
    }
}

fn answer(request: Request, exposed: &Exposed) {
    let path = request.url().split('?').next().unwrap_or_default().to_string();
    let (status, kind, body) = match request.method() {
        Method::Get | Method::Head => page(&path, exposed),
        _ => (405, TEXT, "ask by GET\n".into()),
    };
    respond(request, status, kind, body);
}

/// Answers a request.
pub(crate) fn respond(request: Request, status: u16, kind: &str, body: String) {
    let mut response = Response::from_string(body).with_status_code(status);
    if let Ok(header) = Header::from_bytes("Content-Type", kind) {
        response.add_header(header);
    }
    // Who has gone away no longer minds.
    let _ = request.respond(response);
}

fn page(path: &str, exposed: &Exposed) -> Answer {
    match path {
        LIVE => health(&exposed.why_not_live()),
        READY => health(&exposed.why_not_ready()),
        METRICS => (200, metrics::FORMAT, metrics::page(exposed)),
        STATUS => match serde_json::to_string(&Status::of(exposed)) {
            Ok(status) => (200, JSON, status),
            Err(error) => (500, TEXT, format!("the status cannot be written: {error}\n")),
        },
        _ => (404, TEXT, format!("{path} is not known; there are {}\n", PATHS.join(", "))),
    }
}

/// Well without reasons against it.
fn health(reasons: &[String]) -> Answer {
    match reasons {
        [] => (200, TEXT, "ok\n".into()),
        reasons => (503, TEXT, reasons.join("\n") + "\n"),
    }
}
