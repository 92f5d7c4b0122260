//! Clients: the handshake, their messages, keep-alive. One thread listens, and one reads from each client.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tungstenite::error::ProtocolError;
use tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tungstenite::http::StatusCode;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Error, HandshakeError, Message, WebSocket};

use super::connection::{Connection, Hub, lock};
use super::outbound::{write_ping_frame, write_text_frame};
use super::protocol::Session;
use super::schedule::unix_ns;

/// A client that has not finished its handshake by then is dropped.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Bounds of the time between looks at the clock while a client is silent.
const LOOK: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(250));
/// More than any request of 1024 streams needs.
const REQUEST_BYTES: usize = 256 * 1024;
/// How a connection ended that no close frame ended.
const LOST: &str = "the client went away without closing";
/// RFC 6455, 7.4.1: policy violation. Binance documents that it disconnects, not how; code and reasons are assumed.
const POLICY: u16 = 1008;

/// Accepts clients until the simulator stops, then waits for their threads.
pub(crate) fn listen(listener: &TcpListener, hub: &Arc<Hub>) {
    let mut clients: Vec<JoinHandle<()>> = Vec::new();
    loop {
        let accepted = listener.accept();
        if hub.is_stopping() {
            break;
        }
        match accepted {
            Ok((socket, peer)) => {
                clients.retain(|client| !client.is_finished());
                let served = Arc::clone(hub);
                let spawned = thread::Builder::new().name("sim-client".to_owned()).spawn(move || {
                    if let Err(error) = serve(socket, peer, &served) {
                        tracing::warn!(%peer, %error, "connection failed");
                    }
                });
                match spawned {
                    Ok(client) => clients.push(client),
                    Err(error) => {
                        tracing::error!(%peer, %error, "no thread for a connection: dropped")
                    }
                }
            }
            Err(error) => {
                tracing::warn!(%error, "accept failed");
                // Out of file descriptors, usually: trying again at once would only fail again.
                thread::sleep(LOOK.0);
            }
        }
    }
    for client in clients {
        // A panic there has been reported on stderr already.
        let _ = client.join();
    }
}

/// The socket as tungstenite sees it: it reads for itself, and what it writes (handshake, pongs, the answer to a
/// close) goes the same way as everything else, so that it never ends up inside another frame.
struct ClientStream {
    socket: TcpStream,
    connection: Arc<Connection>,
    hub: Arc<Hub>,
}

impl Read for ClientStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.read(buffer)
    }
}

impl Write for ClientStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.hub.send(&self.connection, bytes, &[]);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn serve(socket: TcpStream, peer: std::net::SocketAddr, hub: &Arc<Hub>) -> io::Result<()> {
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(HANDSHAKE_TIMEOUT))?;
    let connection = hub.admit(socket.try_clone()?, peer);
    if hub.is_stopping() {
        // Too late to be told goodbye.
        hub.dismiss(&connection);
        return Ok(());
    }
    let stream = ClientStream { socket, connection: Arc::clone(&connection), hub: Arc::clone(hub) };
    if let Some((web_socket, session)) = shake_hands(stream, hub) {
        let number = connection.number;
        hub.meter.connections.fetch_add(1, Ordering::Relaxed);
        tracing::info!(connection = number, %peer, streams = session.streams.len(), "connected");
        *lock(&connection.session) = Some(session);
        hub.changed();
        let end = Client::new(web_socket, Arc::clone(&connection), Arc::clone(hub)).run();
        tracing::info!(connection = number, %peer, end, "disconnected");
    }
    hub.dismiss(&connection);
    Ok(())
}

fn shake_hands(stream: ClientStream, hub: &Hub) -> Option<(WebSocket<ClientStream>, Session)> {
    let peer = stream.connection.peer;
    let mut session = None;
    #[allow(clippy::result_large_err)] // The type is tungstenite's.
    let open = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        let uri = request.uri();
        match hub.protocol.open(uri.path(), uri.query()) {
            Ok(opened) => {
                session = Some(opened);
                Ok(response)
            }
            Err(refusal) => {
                tracing::info!(%peer, %uri, refusal.status, refusal.reason, "handshake refused");
                let body = Some(format!("{}\n", refusal.reason));
                let length = body.as_ref().map_or(0, String::len);
                let mut refused = ErrorResponse::new(body);
                *refused.status_mut() = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::BAD_REQUEST);
                refused.headers_mut().insert("Content-Length", length.into());
                Err(refused)
            }
        }
    };
    let limits = WebSocketConfig::default()
        .read_buffer_size(4 * 1024)
        .write_buffer_size(0)
        .max_message_size(Some(REQUEST_BYTES))
        .max_frame_size(Some(REQUEST_BYTES));
    match tungstenite::accept_hdr_with_config(stream, open, Some(limits)) {
        Ok(web_socket) => session.map(|session| (web_socket, session)),
        Err(error) => {
            if !hub.is_stopping() {
                hub.meter.refused.fetch_add(1, Ordering::Relaxed);
                match error {
                    HandshakeError::Failure(error) => {
                        tracing::debug!(%peer, %error, "handshake failed")
                    }
                    HandshakeError::Interrupted(_) => {
                        tracing::info!(%peer, "handshake not finished in time")
                    }
                }
            }
            None
        }
    }
}

/// One client after its handshake.
struct Client {
    web_socket: WebSocket<ClientStream>,
    connection: Arc<Connection>,
    hub: Arc<Hub>,
    /// When the last few messages came.
    messages: VecDeque<Instant>,
    last_ping: Instant,
    /// Pings without their pong, oldest first: when they were sent, and what they carried.
    unanswered: VecDeque<(Instant, String)>,
    /// When and why we said that we close.
    closing: Option<(Instant, &'static str)>,
}

impl Client {
    fn new(web_socket: WebSocket<ClientStream>, connection: Arc<Connection>, hub: Arc<Hub>) -> Self {
        Self {
            web_socket,
            connection,
            hub,
            messages: VecDeque::new(),
            last_ping: Instant::now(),
            unanswered: VecDeque::new(),
            closing: None,
        }
    }

    /// Reads until the connection ends; returns why it did.
    fn run(mut self) -> &'static str {
        let look = (self.hub.config.ping_interval.min(self.hub.config.pong_timeout) / 4).clamp(LOOK.0, LOOK.1);
        if self.web_socket.get_ref().socket.set_read_timeout(Some(look)).is_err() {
            return "socket lost";
        }
        loop {
            match self.web_socket.read() {
                Ok(message) => self.take(message),
                Err(Error::Io(error))
                    if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
                Err(error) => return self.end(&error),
            }
            if let Some((since, why)) = self.closing {
                if since.elapsed() > self.hub.config.close_timeout {
                    return why;
                }
                if self.hub.flush(&self.connection) == 0 {
                    lock(&self.connection.outbound).finish();
                }
            } else if !self.hub.is_stopping() {
                self.keep_alive();
            }
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Close(_) => {
                // Writes tungstenite's answer, unless ours went first; market frames may not follow it.
                let _ = self.web_socket.flush();
                lock(&self.connection.outbound).no_more();
            }
            _ if self.closing.is_some() || self.exceeds_limit() => {}
            Message::Text(text) => self.answer(text.as_str()),
            Message::Binary(bytes) => self.answer(&String::from_utf8_lossy(&bytes)),
            Message::Pong(payload) => {
                if self.unanswered.iter().any(|(_, sent)| sent.as_bytes() == payload.as_ref()) {
                    self.unanswered.clear();
                }
            }
            // tungstenite has queued the pong and writes it with its next read.
            Message::Ping(_) | Message::Frame(_) => {}
        }
    }

    /// The reply goes out before any frame that the request gives rise to: the session stays locked until then.
    fn answer(&mut self, text: &str) {
        let mut session = lock(&self.connection.session);
        let Some(session) = session.as_mut() else {
            return;
        };
        let reply = self.hub.protocol.answer(session, text);
        tracing::debug!(connection = self.connection.number, request = text, reply, "request");
        let mut frame = Vec::new();
        write_text_frame(reply.as_bytes(), &mut frame);
        self.hub.send(&self.connection, &frame, &[]);
        self.hub.changed();
    }

    fn exceeds_limit(&mut self) -> bool {
        let limit = self.hub.protocol.inbound_per_second();
        let now = Instant::now();
        self.messages.push_back(now);
        if self.messages.len() <= limit {
            return false;
        }
        let oldest = self.messages.pop_front();
        let exceeded = oldest.is_some_and(|oldest| now - oldest < Duration::from_secs(1));
        if exceeded {
            self.close("Too many requests");
        }
        exceeded
    }

    fn keep_alive(&mut self) {
        let config = &self.hub.config;
        if self.unanswered.front().is_some_and(|(sent, _)| sent.elapsed() > config.pong_timeout) {
            self.close("Pong timeout");
        } else if self.last_ping.elapsed() >= config.ping_interval {
            self.last_ping = Instant::now();
            let payload = (unix_ns() / 1_000_000).to_string();
            let mut frame = Vec::new();
            write_ping_frame(payload.as_bytes(), &mut frame);
            self.hub.send(&self.connection, &frame, &[]);
            self.unanswered.push_back((self.last_ping, payload));
        }
    }

    fn close(&mut self, why: &'static str) {
        self.hub.meter.limits_exceeded.fetch_add(1, Ordering::Relaxed);
        lock(&self.connection.outbound).close(POLICY, why);
        self.closing = Some((Instant::now(), why));
    }

    fn end(&self, error: &Error) -> &'static str {
        match (error, self.closing) {
            (_, Some((_, why))) => why,
            (Error::ConnectionClosed | Error::AlreadyClosed, None) => "closed",
            _ if lock(&self.connection.outbound).is_closed() => "cut",
            (Error::Protocol(ProtocolError::ResetWithoutClosingHandshake), _) => LOST,
            (Error::Protocol(_) | Error::Utf8(_) | Error::Capacity(_), None) => {
                "the client broke the WebSocket protocol"
            }
            _ => LOST,
        }
    }
}
