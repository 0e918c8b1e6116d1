//! The beansdb service beside a bare append log with an index, the least that any store on disk has to do; same values, same
//! disk, in turn. `cargo bench --bench beansdb`; `-- 9000000` for other than a million keys on disk when gets are timed.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement that tells what it measured, or ends")]

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use dae::services::Tell;
use dae::services::kv::beansdb::{Shelf, serve};
use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use tokio_util::sync::CancellationToken;

const ROUNDS: usize = 5;
/// Of one round.
const BATCHED: usize = 20_000;
const SINGLE: usize = 2_000;
const BATCH: usize = 100;
const CONNECTIONS: usize = 32;
const GETS: usize = 50_000;

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % below
    }
}

/// Values of 1 to 10 KiB that cannot be compressed.
struct Values {
    pool: Vec<u8>,
    dice: Dice,
}

impl Values {
    fn new(seed: u64) -> Self {
        let mut pool = vec![0; 16 << 20];
        getrandom::fill(&mut pool).unwrap();
        Self { pool, dice: Dice(seed) }
    }

    fn next(&mut self) -> &[u8] {
        let length = 1024 + self.dice.roll(9 * 1024);
        let start = self.dice.roll(self.pool.len() - length);
        &self.pool[start..start + length]
    }
}

/// The floor.
struct Log {
    file: File,
    end: u64,
    index: HashMap<Vec<u8>, (u64, usize)>,
}

impl Log {
    fn open(folder: &Path) -> Self {
        Self { file: File::create(folder.join("floor")).unwrap(), end: 0, index: HashMap::new() }
    }

    /// Sets a second.
    fn run(&mut self, sets: usize, batch: usize, values: &mut Values) -> f64 {
        let since = Instant::now();
        for first in (0..sets).step_by(batch) {
            let mut bytes = Vec::new();
            for number in first..first + batch {
                let (key, value) = (key(number), values.next());
                let length = u32::try_from(value.len()).unwrap();
                bytes.extend_from_slice(&[u8::try_from(key.len()).unwrap()]);
                bytes.extend_from_slice(&length.to_le_bytes());
                bytes.extend_from_slice(&key);
                self.index.insert(key, (self.end + bytes.len() as u64, value.len()));
                bytes.extend_from_slice(value);
            }
            self.file.write_all_at(&bytes, self.end).unwrap();
            self.file.sync_data().unwrap();
            self.end += bytes.len() as u64;
        }
        rate(sets, since)
    }
}

fn key(number: usize) -> Vec<u8> {
    format!("/profile/{number}").into_bytes()
}

#[expect(clippy::cast_precision_loss, reason = "a rate")]
fn rate(done: usize, since: Instant) -> f64 {
    done as f64 / since.elapsed().as_secs_f64()
}

struct Client {
    read: BufReader<TcpStream>,
    write: TcpStream,
}

impl Client {
    fn open(address: SocketAddr) -> Self {
        let write = TcpStream::connect(address).unwrap();
        write.set_nodelay(true).unwrap();
        Self { read: BufReader::new(write.try_clone().unwrap()), write }
    }

    /// Sets a second; each batch is sent at once and waited for.
    fn run(&mut self, sets: usize, batch: usize, mut set: impl FnMut(usize, &mut Vec<u8>)) -> f64 {
        let since = Instant::now();
        let (mut bytes, mut line) = (Vec::new(), String::new());
        for first in (0..sets).step_by(batch) {
            bytes.clear();
            for number in first..first + batch {
                set(number, &mut bytes);
            }
            self.write.write_all(&bytes).unwrap();
            for _ in 0..batch {
                line.clear();
                self.read.read_line(&mut line).unwrap();
                assert_eq!(line, "STORED\r\n");
            }
        }
        rate(sets, since)
    }

    fn get(&mut self, key: &[u8], length: usize, bytes: &mut Vec<u8>) {
        self.write.write_all(&[b"get ", key, b"\r\n"].concat()).unwrap();
        let mut line = String::new();
        self.read.read_line(&mut line).unwrap();
        assert!(line.starts_with("VALUE"), "{line}");
        bytes.resize(length + 7, 0);
        self.read.read_exact(bytes).unwrap();
        assert!(bytes.ends_with(b"\r\nEND\r\n"));
    }
}

fn command(key: &[u8], value: &[u8], bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(b"set ");
    bytes.extend_from_slice(key);
    bytes.extend_from_slice(format!(" 0 0 {}\r\n", value.len()).as_bytes());
    bytes.extend_from_slice(value);
    bytes.extend_from_slice(b"\r\n");
}

/// All connections together, one set at a time on each.
fn together(address: SocketAddr, connections: usize, sets: usize) -> f64 {
    let since = Instant::now();
    std::thread::scope(|scope| {
        for connection in 0..connections {
            scope.spawn(move || {
                let mut values = Values {
                    pool: vec![u8::try_from(connection).unwrap(); 1 << 20],
                    dice: Dice(u64::from(since.elapsed().subsec_nanos())),
                };
                let mut client = Client::open(address);
                client.run(sets / connections, 1, |number, bytes| {
                    command(&key(connection << 24 | number), values.next(), bytes);
                });
            });
        }
    });
    rate(sets / connections * connections, since)
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Half of the gets and 99 of 100 took no longer.
fn time_gets(client: &mut Client, keys: usize) -> (Duration, Duration) {
    let (mut dice, mut bytes) = (Dice(7), Vec::new());
    let mut times: Vec<Duration> = (0..GETS)
        .map(|_| {
            let name = key(dice.roll(keys));
            let since = Instant::now();
            client.get(&name, 1024, &mut bytes);
            since.elapsed()
        })
        .collect();
    times.sort();
    (times[GETS / 2], times[GETS * 99 / 100])
}

fn main() {
    let keys = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(1_000_000);
    let folder =
        tempfile::tempdir_in(std::env::var_os("DAE_BENCH_DIR").unwrap_or_else(|| env!("CARGO_TARGET_TMPDIR").into()))
            .unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let shelf = Shelf::new(folder.path().join("beansdb"), Tell::nobody());
    let server = runtime.spawn(serve(listener, shelf, stop.clone()));

    let mut values = Values::new(1);
    let mut log = Log::open(folder.path());
    let mut client = Client::open(address);
    let (mut floor, mut ours): (Vec<Vec<f64>>, Vec<Vec<f64>>) = (vec![vec![]; 2], vec![vec![]; 4]);
    for _ in 0..ROUNDS {
        floor[0].push(log.run(BATCHED, BATCH, &mut values));
        ours[0].push(client.run(BATCHED, BATCH, |number, bytes| command(&key(number), values.next(), bytes)));
        floor[1].push(log.run(SINGLE, 1, &mut values));
        ours[1].push(client.run(SINGLE, 1, |number, bytes| command(&key(number), values.next(), bytes)));
        ours[2].push(together(address, 1, SINGLE));
        ours[3].push(together(address, CONNECTIONS, SINGLE * 4));
    }
    let [floor_batched, floor_single] = [0, 1].map(|at| median(floor[at].clone()));
    let [batched, single, one, many] = [0, 1, 2, 3].map(|at| median(ours[at].clone()));
    println!("sets a second, values of 1 to 10 KiB, medians of {ROUNDS} rounds");
    println!("  batches of {BATCH}: log {floor_batched:.0}, beansdb {batched:.0}: {:.2}", batched / floor_batched);
    println!("  one at a time: log {floor_single:.0}, beansdb {single:.0}: {:.2}", single / floor_single);
    println!("  {CONNECTIONS} connections {many:.0}, one {one:.0}: {:.1} times", many / one);

    let since = Instant::now();
    let pool = Values::new(2).pool;
    client.run(keys / BATCH * BATCH, BATCH, |number, bytes| {
        let start = number * 31 % (pool.len() - 1024);
        command(&key(number), &pool[start..start + 1024], bytes);
    });
    println!("{keys} keys of 1 KiB written in {:.0} s", since.elapsed().as_secs_f64());
    let (half, most) = time_gets(&mut client, keys);
    println!("  get: half within {half:.0?}, 99 of 100 within {most:.0?}");
    for entry in std::fs::read_dir(folder.path().join("beansdb")).unwrap() {
        let file = File::open(entry.unwrap().path()).unwrap();
        posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED).unwrap();
    }
    let (half, most) = time_gets(&mut client, keys);
    println!("  get, the files out of memory: half within {half:.0?}, 99 of 100 within {most:.0?}");
    stop.cancel();
    runtime.block_on(server).unwrap();
    let since = Instant::now();
    let store = dae::services::kv::beansdb::Store::open(&folder.path().join("beansdb")).unwrap();
    println!("  opened again in {:.1} s", since.elapsed().as_secs_f64());
    store.close();
}
