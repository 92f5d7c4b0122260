//! One client after its handshake: its messages, keep-alive, and the exchange's rules.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tungstenite::error::ProtocolError;
use tungstenite::{Error, Message, WebSocket};

use super::client_stream::ClientStream;
use super::connection::{Connection, Hub, Note};
use super::dialect::{Dialect, Request, Rules};
use super::lock::lock;
use super::outbound::{write_ping_frame, write_text_frame};
use super::schedule::unix_ns;

/// Bounds of the time between looks at the clock while a client is silent.
const LOOK: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(250));
/// How a connection ended that no close frame ended.
const LOST: &str = "the client went away without closing";
/// How one ended that the exchange closed for no fault of the client's.
const CLOSED: &str = "closed by the exchange";
/// RFC 6455, 7.4.1: policy violation. Exchanges document that they disconnect, not how; code and reasons are assumed.
const POLICY: u16 = 1008;

/// Puts a text on a connection's wire.
pub(super) fn say(hub: &Hub, connection: &Connection, text: &str) {
    let mut frame = Vec::new();
    write_text_frame(text.as_bytes(), &mut frame);
    hub.send(connection, &frame, &[]);
}

/// One client after its handshake.
pub(super) struct Client {
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
    pub(super) fn new(
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
    pub(super) fn run(mut self) -> &'static str {
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
            if self.closing.is_none() {
                self.closing = lock(&self.connection.outbound).closing_since().map(|since| (since, CLOSED));
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
        let Some(text) = self.hub.heard(text, self.dialect, session.shape) else {
            return;
        };
        let (text, connection, now_ns) = (text.as_ref(), self.connection.number, unix_ns());
        let (symbols, rejected) = (&self.hub.config.symbols[..], &self.hub.requests.rejected[..]);
        let replies = self.dialect.answer(session, &Request { text, connection, now_ns, symbols, rejected });
        session.unmute_unsubscribed();
        tracing::debug!(connection, request = text, ?replies, "request");
        if self.dialect.market_speaks() {
            lock(&self.connection.notes).extend(replies.into_iter().map(Note::Reply));
        } else {
            replies.iter().for_each(|reply| say(&self.hub, &self.connection, reply));
        }
        self.hub.changed();
        self.hub.subscription_stands(connection, session);
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
