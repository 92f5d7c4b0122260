//! `wss://`: a server with a certificate of its own authority in front of the simulator.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use k2_feed::sim::{self, Rate, Simulator, SimulatorConfig};
use k2_feed::venue::protocol::Protocol;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection};
use tempfile::TempDir;

use crate::oracle::{MILLISECOND, contiguous, same_trades};
use crate::reader::Reader;
use crate::report;
use crate::world::{Broker, Exchange, Run, alone, variables};

/// An exchange behind TLS.
pub(crate) struct Server {
    simulator: Simulator,
    port: u16,
    /// Holds the authority's certificate, `ca.pem`.
    folder: TempDir,
}

impl Server {
    /// With a certificate for `host`.
    pub(crate) fn start(host: &str) -> Self {
        let market = SimulatorConfig { rate: Rate::PerSecond(5_000.0), ..SimulatorConfig::new(Protocol::BinanceSpot) };
        let simulator = sim::start(market).unwrap();
        let (config, authority) = certified(host);
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), authority).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let upstream = simulator.addr();
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (client, config) = (client.unwrap(), config.clone());
                std::thread::spawn(move || forward(client, upstream, config));
            }
        });
        Server { simulator, port, folder }
    }

    pub(crate) fn url(&self) -> String {
        format!("wss://localhost:{}/ws", self.port)
    }

    /// A configuration that trusts the server's authority.
    pub(crate) fn trusting(&self) -> String {
        format!("[tls]\nextra_ca = {:?}\n", self.folder.path().join("ca.pem"))
    }
}

/// A server's settings with a certificate for `host`, and the certificate of the authority that issued it.
fn certified(host: &str) -> (Arc<ServerConfig>, String) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let authority_pem = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new([host.to_string()]).unwrap().signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    (Arc::new(config), authority_pem)
}

/// Decrypts what the client sends for `upstream`, and encrypts what comes back, until either has gone.
fn forward(client: TcpStream, upstream: SocketAddr, config: Arc<ServerConfig>) {
    let Ok(mut plain) = TcpStream::connect(upstream) else { return };
    let tls = Arc::new(Mutex::new(ServerConnection::new(config).unwrap()));
    let back = {
        let (tls, mut plain, mut client) = (tls.clone(), plain.try_clone().unwrap(), client.try_clone().unwrap());
        std::thread::spawn(move || {
            let mut buffer = [0; 16 * 1024];
            while let Ok(count @ 1..) = plain.read(&mut buffer) {
                let mut tls = tls.lock().unwrap();
                tls.writer().write_all(&buffer[..count]).unwrap();
                if flush(&mut tls, &mut client).is_err() {
                    break;
                }
            }
            let _ = client.shutdown(Shutdown::Both);
        })
    };
    // A client that refuses the certificate, or goes away, is what some tests are about.
    let _ = decrypt(client, &mut plain, &tls);
    let _ = plain.shutdown(Shutdown::Both);
    back.join().unwrap();
}

fn decrypt(mut client: TcpStream, plain: &mut TcpStream, tls: &Mutex<ServerConnection>) -> std::io::Result<()> {
    let mut buffer = [0; 16 * 1024];
    loop {
        // Read without the lock, which the other direction needs meanwhile.
        let count = client.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        let mut received = &buffer[..count];
        let mut decrypted = Vec::new();
        let mut tls = tls.lock().unwrap();
        while !received.is_empty() {
            tls.read_tls(&mut received)?;
            let state = tls.process_new_packets().map_err(std::io::Error::other);
            flush(&mut tls, &mut client)?;
            decrypted.resize(state?.plaintext_bytes_to_read(), 0);
            tls.reader().read_exact(&mut decrypted)?;
            plain.write_all(&decrypted)?;
        }
    }
}

fn flush(tls: &mut ServerConnection, client: &mut TcpStream) -> std::io::Result<()> {
    while tls.wants_write() {
        tls.write_tls(client)?;
    }
    Ok(())
}

#[test]
fn trades_flow_through_tls() {
    let _alone = alone();
    let (broker, server) = (Broker::start(), Server::start("localhost"));
    let url = server.url();
    let run = Run::with(&variables(&broker, &url, "BTCUSDT,ETHUSDT"), Some(&server.trusting()), &[]).subscribed();
    let mut reader = Reader::start(&broker);
    reader.until(5_000);
    let stopped = run.stop();
    let found = reader.into_all();
    contiguous(&same_trades(&found, MILLISECOND));
    report::check(&stopped, "run");
    report::flawless(&stopped.report, found.raw.len());
    server.simulator.stop();
}

/// The exchange's REST API is trusted as its WebSocket is.
#[test]
fn gaps_are_repaired_through_tls() {
    let _alone = alone();
    let (broker, server) = (Broker::start(), Server::start("localhost"));
    let (url, rest_url) = (server.url(), format!("https://localhost:{}", server.port));
    let variables = [&variables(&broker, &url, "BTCUSDT")[..], &[("K2_BINANCE_REST_URL", &rest_url)]].concat();
    let mut run = Run::with(&variables, Some(&server.trusting()), &[]).subscribed();
    let mut reader = Reader::start(&broker);
    reader.until(500);
    server.simulator.cut_all();
    run.child.log_line("gap: closed by the exchange's history");
    let accounting = run.stop().report["accounting"].clone();
    assert_eq!(accounting["repairs"]["trades"], accounting["missing"], "{accounting:#}");
    server.simulator.stop();
}

/// Waits for two refusals that say `why`, then stops: nothing was lost, since nothing came.
fn refused(server: &Server, file: Option<&str>, why: &[&str]) {
    let broker = Broker::start();
    let url = server.url();
    let mut run = Run::with(&variables(&broker, &url, "BTCUSDT"), file, &[]);
    for _ in 0..2 {
        let line = run.child.next_log_line("no connection");
        assert!(why.iter().all(|why| line.contains(why)) && line.contains(&url), "{line}");
    }
    let stopped = run.stop();
    assert_eq!(stopped.report["accounting"]["frames"]["received"], 0);
}

#[test]
fn an_unknown_authority_is_refused() {
    let _alone = alone();
    let server = Server::start("localhost");
    refused(&server, None, &["TLS failed", "certificate", "UnknownIssuer", "extra_ca", "retry_in_ms"]);
    server.simulator.stop();
}

#[test]
fn a_certificate_for_another_host_is_refused() {
    let _alone = alone();
    let server = Server::start("exchange.example");
    refused(&server, Some(&server.trusting()), &["TLS failed", "certificate", "localhost", "exchange.example"]);
    server.simulator.stop();
}

/// As in a container without the package ca-certificates.
#[test]
fn only_encrypted_connections_need_root_certificates() {
    let _alone = alone();
    let (broker, exchange) = (Broker::start(), Exchange::start(&[]));
    let none = [("SSL_CERT_FILE", "/nonexistent"), ("SSL_CERT_DIR", "/nonexistent")];
    let plain = [&variables(&broker, &exchange.url, "BTCUSDT")[..], &none].concat();
    Run::with(&plain, None, &[]).subscribed().stop();
    let encrypted = [&variables(&broker, "wss://localhost:1/ws", "BTCUSDT")[..], &none].concat();
    Run::with(&encrypted, None, &[]).child.ended().expect(1).says(&["no trusted root", "ca-certificates", "extra_ca"]);
}

#[test]
fn an_authority_that_cannot_be_read_stops_the_start() {
    let _alone = alone();
    let broker = Broker::start();
    for (name, text) in [("missing.pem", None), ("empty.pem", Some("no certificate\n"))] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        if let Some(text) = text {
            std::fs::write(&path, text).unwrap();
        }
        let file = format!("[tls]\nextra_ca = {path:?}\n");
        let run = Run::with(&variables(&broker, "wss://localhost:1/ws", "BTCUSDT"), Some(&file), &[]);
        run.child.ended().expect(2).says(&["extra_ca", name]);
    }
}
