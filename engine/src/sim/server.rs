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

use super::connection::{Connection, Hub, Note, lock};
use super::dialect::{self, Dialect, Request as Asked, Rules, Session};
use super::outbound::{write_ping_frame, write_text_frame};
use super::schedule::unix_ns;

/// A client that has not finished its handshake by then is dropped.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Bounds of the time between looks at the clock while a client is silent.
const LOOK: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(250));
/// More than any request of 1024 streams needs.
const REQUEST_BYTES: usize = 256 * 1024;
/// How a connection ended that no close frame ended.
const LOST: &str = "the client went away without closing";
/// RFC 6455, 7.4.1: policy violation. Exchanges document that they disconnect, not how; code and reasons are assumed.
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
        let dialect = dialect::of(session.protocol);
        if let Some(greeting) = dialect.greeting(number) {
            say(hub, &connection, &greeting);
        }
        *lock(&connection.session) = Some(session);
        hub.changed();
        let end = Client::new(web_socket, dialect, Arc::clone(&connection), Arc::clone(hub)).run();
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
        match dialect::open(hub.config.protocol, uri.path(), uri.query()) {
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

/// Puts a text on a connection's wire.
fn say(hub: &Hub, connection: &Connection, text: &str) {
    let mut frame = Vec::new();
    write_text_frame(text.as_bytes(), &mut frame);
    hub.send(connection, &frame, &[]);
}

/// One client after its handshake.
struct Client {
    dialect: &'static dyn Dialect,
    web_socket: WebSocket<ClientStream>,
    connection: Arc<Connection>,
    hub: Arc<Hub>,
    /// When the last few messages came.
    messages: VecDeque<Instant>,
    connected: Instant,
    has_subscribed: bool,
    last_ping: Instant,
    last_heartbeat: Instant,
    /// When the client sent something last, or we something to it, and how many bytes we had sent by then.
    last_heard: (Instant, u64),
    /// Pings without their pong, oldest first: when they were sent, and what they carried.
    unanswered: VecDeque<(Instant, String)>,
    /// When and why we said that we close.
    closing: Option<(Instant, &'static str)>,
}

impl Client {
    fn new(
        web_socket: WebSocket<ClientStream>,
        dialect: &'static dyn Dialect,
        connection: Arc<Connection>,
        hub: Arc<Hub>,
    ) -> Self {
        let now = Instant::now();
        Self {
            dialect,
            web_socket,
            connection,
            hub,
            messages: VecDeque::new(),
            connected: now,
            has_subscribed: false,
            last_ping: now,
            last_heartbeat: now,
            last_heard: (now, 0),
            unanswered: VecDeque::new(),
            closing: None,
        }
    }

    /// Reads until the connection ends; returns why it did.
    fn run(mut self) -> &'static str {
        let shortest = self.hub.config.rules.times().min().unwrap_or(LOOK.1);
        let look = (shortest / 4).clamp(LOOK.0, LOOK.1);
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
        self.last_heard.0 = Instant::now();
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

    /// The replies go out before any frame that the request gives rise to: the session stays locked until then.
    fn answer(&mut self, text: &str) {
        let mut session = lock(&self.connection.session);
        let Some(session) = session.as_mut() else {
            return;
        };
        let (connection, symbols) = (self.connection.number, &self.hub.config.symbols[..]);
        let replies = self.dialect.answer(session, &Asked { text, connection, now_ns: unix_ns(), symbols });
        tracing::debug!(connection, request = text, ?replies, "request");
        if self.dialect.market_speaks() {
            lock(&self.connection.notes).extend(replies.into_iter().map(Note::Reply));
        } else {
            replies.iter().for_each(|reply| say(&self.hub, &self.connection, reply));
        }
        self.hub.changed();
    }

    fn exceeds_limit(&mut self) -> bool {
        let Some(limit) = self.hub.config.rules.inbound_per_second else { return false };
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
        let rules = self.hub.config.rules;
        if self.unanswered.front().is_some_and(|(sent, _)| sent.elapsed() > rules.pong_timeout) {
            self.close("Pong timeout");
        } else if self.is_without_subscription(&rules) {
            self.close("Subscribe timeout");
        } else if self.is_quiet(&rules) {
            self.close("Idle timeout");
        } else {
            self.ping(&rules);
            self.heartbeat(&rules);
        }
    }

    /// Whether the client has not subscribed in time.
    fn is_without_subscription(&mut self, rules: &Rules) -> bool {
        let Some(within) = rules.subscribe_within.filter(|_| !self.has_subscribed) else { return false };
        let session = lock(&self.connection.session);
        self.has_subscribed = session.as_ref().is_some_and(|session| !session.streams.is_empty());
        !self.has_subscribed && self.connected.elapsed() > within
    }

    /// Whether neither side has sent anything for too long.
    fn is_quiet(&mut self, rules: &Rules) -> bool {
        let Some(longest) = rules.longest_quiet else { return false };
        let appended = lock(&self.connection.outbound).appended();
        if appended > self.last_heard.1 {
            self.last_heard = (Instant::now(), appended);
        }
        self.last_heard.0.elapsed() > longest
    }

    fn heartbeat(&mut self, rules: &Rules) {
        if self.last_heartbeat.elapsed() < rules.heartbeat_interval {
            return;
        }
        self.last_heartbeat = Instant::now();
        if self.dialect.market_speaks() {
            lock(&self.connection.notes).push(Note::Heartbeat);
            return self.hub.changed();
        }
        if let Some(session) = lock(&self.connection.session).as_ref() {
            let heartbeats = self.dialect.heartbeats(session, unix_ns(), &|_| None);
            heartbeats.iter().for_each(|heartbeat| say(&self.hub, &self.connection, heartbeat));
        }
    }

    fn ping(&mut self, rules: &Rules) {
        if rules.ping_interval.is_some_and(|interval| self.last_ping.elapsed() >= interval) {
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
