//! What the engine is measured against: the same job as it is usually written, with tokio, tokio-tungstenite, serde_json,
//! apache-avro and rdkafka's `FutureProducer`. Binance's trades to a raw and a normalized topic, as the engine writes them,
//! by the same variables of the environment. No gaps, no repair, no spill, no histograms: less work than the engine does.
//!
//! It has librdkafka's settings of the engine; `K2_LINGER_US` sets the wait for others.

mod record;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use anyhow::{Context, bail};
use futures_util::stream::FuturesUnordered;
use futures_util::{SinkExt, StreamExt};
use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{DeliveryFuture, FutureProducer, FutureRecord, Producer};
use tokio::sync::mpsc;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

use record::{Encoder, Unit};

/// The engine's, so that the comparison is not one of allocators.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Deliveries that may be awaited at a time: the engine's `queue_records`.
const IN_FLIGHT: usize = 100_000;
const RECONNECT_AFTER: Duration = Duration::from_millis(500);
const FLUSH_TIMEOUT: Duration = Duration::from_secs(10);

/// What the environment says.
struct Settings {
    url: String,
    symbols: Vec<String>,
    servers: String,
    registry: String,
    topic: String,
    topic_raw: String,
    linger_us: u64,
}

impl Settings {
    fn from_environment() -> anyhow::Result<Self> {
        let variable = |name: &str| std::env::var(name).with_context(|| format!("{name} is not set"));
        let topic = std::env::var("K2_KAFKA_TOPIC_NORMALIZED").unwrap_or("market.crypto.trades.binance".into());
        Ok(Settings {
            url: variable("K2_BINANCE_WS_URL")?,
            symbols: variable("K2_SYMBOLS")?.split(',').map(str::to_string).collect(),
            servers: variable("K2_KAFKA_BOOTSTRAP_SERVERS")?,
            registry: variable("K2_KAFKA_SCHEMA_REGISTRY_URL")?,
            topic_raw: std::env::var("K2_KAFKA_TOPIC_RAW").unwrap_or(format!("{topic}.raw")),
            topic,
            linger_us: std::env::var("K2_LINGER_US").map_or(Ok(1_000), |text| text.parse()).context("K2_LINGER_US")?,
        })
    }

    fn producer(&self) -> anyhow::Result<FutureProducer> {
        let producer = ClientConfig::new()
            .set("bootstrap.servers", &self.servers)
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("compression.type", "lz4")
            .set("partitioner", "murmur2_random")
            .set("linger.ms", (self.linger_us as f64 / 1e3).to_string())
            .set("message.timeout.ms", "0")
            .create()?;
        Ok(producer)
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let settings = Settings::from_environment()?;
    let producer = settings.producer()?;
    let registry = settings.registry.clone();
    let subject = format!("{}-value", settings.topic);
    let schema_id = tokio::task::spawn_blocking(move || record::register(&registry, &subject)).await??;
    let acked = Arc::new(AtomicU64::new(0));
    let (deliveries, waiting) = mpsc::channel(IN_FLIGHT);
    let watcher = tokio::spawn(watch(waiting, Arc::clone(&acked)));
    let mut encoder = Encoder::new(schema_id, &settings.symbols, Unit::of(&settings.url))?;
    let stop = tokio::signal::ctrl_c();
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        () = feed(&settings, &producer, &mut encoder, &deliveries) => {}
        _ = stop => {}
        _ = terminate.recv() => {}
    }
    drop(deliveries);
    tokio::task::block_in_place(|| producer.flush(FLUSH_TIMEOUT))?;
    watcher.await?;
    println!("acked {}", acked.load(Ordering::Relaxed));
    Ok(())
}

/// Reads the exchange, again and again.
async fn feed(
    settings: &Settings,
    producer: &FutureProducer,
    encoder: &mut Encoder,
    deliveries: &mpsc::Sender<DeliveryFuture>,
) {
    loop {
        if let Err(error) = session(settings, producer, encoder, deliveries).await {
            eprintln!("connection lost: {error:#}");
        }
        tokio::time::sleep(RECONNECT_AFTER).await;
    }
}

async fn session(
    settings: &Settings,
    producer: &FutureProducer,
    encoder: &mut Encoder,
    deliveries: &mpsc::Sender<DeliveryFuture>,
) -> anyhow::Result<()> {
    let (mut socket, _) = connect_async(&settings.url).await?;
    let streams: Vec<_> = settings.symbols.iter().map(|symbol| format!("{}@trade", symbol.to_lowercase())).collect();
    let subscribe = serde_json::json!({"method": "SUBSCRIBE", "params": streams, "id": 1});
    socket.send(Message::text(subscribe.to_string())).await?;
    while let Some(message) = socket.next().await {
        match message? {
            Message::Text(frame) => {
                let received_ns = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_nanos() as i64;
                let Some(trade) = record::parse(&frame)? else { continue };
                let key = trade.symbol;
                let value = encoder.encode(&trade, received_ns)?;
                let headers = OwnedHeaders::new()
                    .insert(Header { key: "exchange", value: Some("binance") })
                    .insert(Header { key: "connection", value: Some(record::CONNECTION) })
                    .insert(Header { key: "received_ns", value: Some(&received_ns.to_string()) });
                let raw = FutureRecord::to(&settings.topic_raw).key(key).payload(frame.as_bytes()).headers(headers);
                let normalized = FutureRecord::to(&settings.topic).key(key).payload(value);
                for record in [raw, normalized] {
                    send(producer, record, deliveries).await?;
                }
            }
            Message::Close(_) => bail!("the exchange closed"),
            _ => {}
        }
    }
    Ok(())
}

/// Hands a record over, and waits while there is no room for it.
async fn send(
    producer: &FutureProducer,
    mut record: FutureRecord<'_, str, [u8]>,
    deliveries: &mpsc::Sender<DeliveryFuture>,
) -> anyhow::Result<()> {
    use rdkafka::error::{KafkaError, RDKafkaErrorCode};
    loop {
        match producer.send_result(record) {
            Ok(delivery) => return Ok(deliveries.send(delivery).await?),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                record = back;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            Err((error, _)) => return Err(error.into()),
        }
    }
}

/// Awaits deliveries, and says which failed.
async fn watch(mut waiting: mpsc::Receiver<DeliveryFuture>, acked: Arc<AtomicU64>) {
    let mut pending = FuturesUnordered::new();
    let mut is_open = true;
    while is_open || !pending.is_empty() {
        tokio::select! {
            delivery = waiting.recv(), if is_open => match delivery {
                Some(delivery) => pending.push(delivery),
                None => is_open = false,
            },
            Some(outcome) = pending.next() => match outcome {
                Ok(Ok(_)) => drop(acked.fetch_add(1, Ordering::Relaxed)),
                Ok(Err((error, _))) => eprintln!("not delivered: {error}"),
                Err(_) => eprintln!("not delivered: the producer is gone"),
            },
        }
    }
}
