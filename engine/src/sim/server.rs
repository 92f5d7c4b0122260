//! Clients come in: one thread listens, and each client gets one of its own, which shakes hands.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tungstenite::http::StatusCode;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{HandshakeError, WebSocket};

use super::client::{Client, say};
use super::client_stream::ClientStream;
use super::connection::Hub;
use super::dialect::{self, Session};
use super::history::{self, Visitor};
use super::lock::lock;

/// A client that has not finished its handshake by then is dropped.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Before a socket is accepted again after that failed.
const PAUSE: Duration = Duration::from_millis(5);
/// More than any request of 1024 streams needs.
const REQUEST_BYTES: usize = 256 * 1024;

/// Accepts clients until the simulator stops, then waits for their threads.
pub(crate) fn listen(listener: &TcpListener, hub: &Arc<Hub>) {
    let mut clients: Vec<JoinHandle<()>> = Vec::new();
    loop {
        let accepted = listener.accept();
        if hub.is_stopping() {
            break;
        }
        match accepted {
            Ok((socket, _)) if hub.resets(&socket) => {}
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
                thread::sleep(PAUSE);
            }
        }
    }
    for client in clients {
        // A panic there has been reported on stderr already.
        let _ = client.join();
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
    match history::receive(&socket, hub) {
        Ok(Visitor::Other) => {}
        Ok(Visitor::Silent) => {
            hub.meter.refused.fetch_add(1, Ordering::Relaxed);
            tracing::info!(%peer, "handshake not finished in time");
            hub.dismiss(&connection);
            return Ok(());
        }
        answered => {
            hub.dismiss(&connection);
            return answered.map(drop);
        }
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
        if let Some(session) = lock(&connection.session).as_ref() {
            hub.subscription_stands(number, session);
        }
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
        match hub.open(uri) {
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
                if let Some(seconds) = refusal.retry_after_s {
                    refused.headers_mut().insert("Retry-After", seconds.into());
                }
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
