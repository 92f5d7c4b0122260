//! Records to disk: the spill journal beside glommio's two ways, with the same framing and the same buffer.
//!
//! `K2_SPILL_FOLDER` names the folder (its file system is what is measured); otherwise it is the system's for temporary
//! files. A batch is [`BATCH`] records, so ns a record are us a batch divided by 50. The journal and `BufferedFile` leave
//! the bytes with the kernel; `DmaStreamWriter` bypasses it and has them on the device, as has the journal with `sync`.

use std::env;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use glommio::io::{BufferedFile, DmaFile, DmaStreamWriterBuilder};
use glommio::{LocalExecutor, LocalExecutorBuilder};
use k2_feed::spill::{Fsync, Journal, Settings, WRITE_BUFFER_BYTES};
use tempfile::TempDir;

/// Bytes of a record: a trade with its key and head.
const RECORD: usize = 300;
/// Records written between two looks at the clock.
const BATCH: usize = 50_000;
/// Bytes before a record.
const HEAD: usize = 12;
/// What an executor may lock; the usual limit is 8 MiB.
const IO_MEMORY: usize = 2 << 20;

fn folder() -> TempDir {
    let parent = env::var_os("K2_SPILL_FOLDER").map_or_else(env::temp_dir, Into::into);
    TempDir::new_in(parent).expect("a folder")
}

/// Writes `rounds` batches and returns the time, without that of deleting them.
fn journal(rounds: u64, finish: fn(&mut Journal)) -> Duration {
    let record = [b'7'; RECORD];
    let mut total = Duration::ZERO;
    for _ in 0..rounds {
        let folder = folder();
        let fsync = Fsync::Never;
        let settings = Settings { folder: folder.path().into(), max_bytes: 1 << 30, segment_bytes: 64 << 20, fsync };
        let (mut journal, _) = Journal::open(settings, b"routes", |_| {}).expect("a journal");
        let start = Instant::now();
        for _ in 0..BATCH {
            let (head, value) = black_box(&record).split_at(40);
            journal.append(&[head, value]).expect("room");
        }
        finish(&mut journal);
        total += start.elapsed();
    }
    total
}

/// Reads `rounds` batches back and settles them.
fn journal_read(rounds: u64) -> Duration {
    let mut total = Duration::ZERO;
    for _ in 0..rounds {
        let folder = folder();
        let fsync = Fsync::Never;
        let settings = Settings { folder: folder.path().into(), max_bytes: 1 << 30, segment_bytes: 64 << 20, fsync };
        let (mut journal, _) = Journal::open(settings, b"routes", |_| {}).expect("a journal");
        (0..BATCH).for_each(|_| journal.append(&[&[b'7'; RECORD]]).expect("room"));
        journal.flush().expect("room");
        let start = Instant::now();
        while let Some(item) = journal.next() {
            black_box(item.bytes);
            let position = item.position;
            journal.settle(position);
        }
        total += start.elapsed();
    }
    total
}

/// The journal's framing: length, check, check of the payload, payload.
fn frame(out: &mut Vec<u8>, record: &[u8]) {
    let length = (record.len() as u32).to_le_bytes();
    let check = crc32c::crc32c(&length);
    out.extend_from_slice(&length);
    out.extend_from_slice(&check.to_le_bytes());
    out.extend_from_slice(&crc32c::crc32c_append(check, record).to_le_bytes());
    out.extend_from_slice(record);
}

fn executor() -> LocalExecutor {
    LocalExecutorBuilder::default().io_memory(IO_MEMORY).make().expect("io_uring")
}

fn buffered_file(rounds: u64) -> Duration {
    executor().run(async {
        let record = [b'7'; RECORD];
        let mut total = Duration::ZERO;
        for _ in 0..rounds {
            let folder = folder();
            let file = BufferedFile::create(folder.path().join("file")).await.expect("a file");
            let start = Instant::now();
            // The buffer is given away with each write.
            let mut buffer = Vec::with_capacity(WRITE_BUFFER_BYTES);
            let mut written = 0;
            for _ in 0..BATCH {
                if buffer.len() + HEAD + RECORD > WRITE_BUFFER_BYTES {
                    let full = std::mem::replace(&mut buffer, Vec::with_capacity(WRITE_BUFFER_BYTES));
                    written += file.write_at(full, written).await.expect("room") as u64;
                }
                frame(&mut buffer, black_box(&record));
            }
            file.write_at(buffer, written).await.expect("room");
            total += start.elapsed();
            file.close().await.expect("a file");
        }
        total
    })
}

fn dma_stream(rounds: u64) -> Duration {
    use futures_lite::AsyncWriteExt;
    executor().run(async {
        let record = [b'7'; RECORD];
        let mut total = Duration::ZERO;
        for _ in 0..rounds {
            let folder = folder();
            let file = DmaFile::create(folder.path().join("file")).await.expect("a file");
            let mut writer = DmaStreamWriterBuilder::new(file).with_buffer_size(WRITE_BUFFER_BYTES).build();
            let start = Instant::now();
            let mut framed = Vec::with_capacity(HEAD + RECORD);
            for _ in 0..BATCH {
                framed.clear();
                frame(&mut framed, black_box(&record));
                writer.write_all(&framed).await.expect("room");
            }
            writer.close().await.expect("room");
            total += start.elapsed();
        }
        total
    })
}

fn spill(c: &mut Criterion) {
    let mut group = c.benchmark_group("spill");
    group.throughput(Throughput::Bytes((BATCH * RECORD) as u64)).sample_size(20);
    group.bench_function("append/journal", |b| b.iter_custom(|rounds| journal(rounds, |j| j.flush().expect("room"))));
    group.bench_function("append/glommio BufferedFile", |b| b.iter_custom(buffered_file));
    group.bench_function("append/journal and sync", |b| {
        b.iter_custom(|rounds| journal(rounds, |j| j.sync().expect("room")));
    });
    group.bench_function("append/glommio DmaStreamWriter", |b| b.iter_custom(dma_stream));
    group.bench_function("read and settle/journal", |b| b.iter_custom(journal_read));
    group.finish();
}

criterion_group!(benches, spill);
criterion_main!(benches);
