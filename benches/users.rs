//! What a directory of users costs: to load it, to keep it, to find somebody in it, and to judge while it is loaded again.
//!
//! `cargo bench --bench users` prints a table for 100,000 and 1,000,000 users; `-- --quick` takes 10,000.

#![expect(clippy::unwrap_used, clippy::print_stdout, clippy::indexing_slicing, reason = "benchmark")]

#[expect(dead_code, reason = "what the other benchmarks need of it")]
mod documents;
mod figures;

use std::alloc::{GlobalAlloc, Layout, System};
use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use arc_swap::ArcSwap;
use documents::{Key, Wish, form, judge, now, response};
use figures::median;
use jiff::Timestamp;
use samlgate::inspect::{Effort, Posted};
use samlgate::lab;
use samlgate::proxy::{Authority, ServerCertificate};
use samlgate::source::graph::{Access, Credential, Graph, Patience};
use samlgate::source::{Bounds, Client, Url};
use samlgate::tenant::{Directory, Lookup, diagnose};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Times that each is measured.
const ROUNDS: usize = 3;
/// Any application will do.
const CLIENT: &str = "00000000-0000-4000-8000-00000000c11e";
const GOALS: &str = "must, for 1,000,000 users: load < 3 s, kept < 160 MB, look-up < 1 µs";

/// What is allocated now, and the most that was.
struct Counting;
static LIVE: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

fn more(bytes: usize) {
    let live = LIVE.fetch_add(bytes, Ordering::Relaxed) + bytes;
    MOST.fetch_max(live, Ordering::Relaxed);
}

// SAFETY: everything is handed on to the system's allocator as it came.
#[expect(unsafe_code, reason = "benchmark: counts what the system's allocator does")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        more(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let has = |wanted: &str| arguments.iter().any(|argument| argument == wanted);
    // without `--bench` this is a test that everything runs
    let sizes: &[usize] = match (has("--bench"), has("--quick")) {
        (true, false) => &[100_000, 1_000_000],
        (true, true) => &[10_000],
        _ => &[1_000],
    };
    println!(
        "| users | from | file MB | load s | kept MB | at most MB | B a user | look-up ns | by address ns | near miss µs | judged while loading |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    for count in sizes {
        for (name, file) in [("CSV", csv(*count)), ("Graph JSON", json(*count))] {
            println!("{}", row(*count, name, &file));
        }
    }
    println!("\n{GOALS}");
    println!("\nBy the pages of a fake Graph in the same process, over TLS:\n");
    println!("| users | pages | until all are there s | kept MB | at most MB |");
    println!("|---|---|---|---|---|");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    for count in sizes {
        println!("{}", runtime.block_on(by_pages(*count)));
    }
}

/// What the first look at a tenant costs that has so many users.
async fn by_pages(count: usize) -> String {
    let hosts = ["localhost".to_owned()];
    let created = Authority::create(&hosts, Timestamp::now(), 4).unwrap();
    let authority = Authority::from_pem(created.certificate.as_bytes(), created.key.as_bytes()).unwrap();
    let root = authority.certificate().to_vec();
    let certificate = ServerCertificate::minted(authority, hosts.to_vec(), Timestamp::now).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = Url::parse(&format!("https://localhost:{}", listener.local_addr().unwrap().port())).unwrap();
    let mut fake =
        lab::Graph::new(Vec::new(), lab::People::default().and_made_up(count, "domain.company"), Timestamp::now);
    fake.tls = true;
    let page_size = fake.page_size;
    let (_stop, stops) = watch::channel(false);
    tokio::spawn(lab::serve(listener, Some(certificate.config()), Arc::new(fake) as _, stops));
    let access = Access {
        tenant: "domain.company".to_owned(),
        client_id: CLIENT.to_owned(),
        credential: Credential::secret("lab").unwrap(),
        login: here.clone(),
        endpoint: here,
    };
    let client = Client::new(&[root], Bounds::default()).unwrap();
    let mut graph = Graph::new(client, access, Patience::default(), Timestamp::now);
    let before = LIVE.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    let begun = Instant::now();
    let directory = graph.users().await.unwrap();
    let (seconds, most) = (begun.elapsed().as_secs_f64(), MOST.load(Ordering::Relaxed) - before);
    assert_eq!(directory.len(), count);
    let kept = LIVE.load(Ordering::Relaxed) - before;
    let mega = |bytes: usize| bytes as f64 / 1e6;
    format!("| {count} | {} | {seconds:.2} | {:.0} | {:.0} |", count.div_ceil(page_size), mega(kept), mega(most))
}

fn id(number: usize) -> String {
    if number == 0 {
        // who signs in
        return documents::user(0).1;
    }
    // as long as base64 of a GUID, and as scattered
    let scattered = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!("{scattered:016x}{number:06x}==")
}

fn csv(count: usize) -> String {
    let mut text = "UserPrincipalName,Mail,OnPremisesImmutableId,AccountEnabled,UserType\n".to_owned();
    for number in 0..count {
        let id = id(number);
        writeln!(text, "user{number}@domain.company,user{number}@mail.domain.company,{id},True,Member").unwrap();
    }
    text
}

fn json(count: usize) -> String {
    let mut text = "{\"value\":[".to_owned();
    for number in 0..count {
        let (comma, id) = (if number == 0 { "" } else { "," }, id(number));
        write!(
            text,
            "{comma}{{\"userPrincipalName\":\"user{number}@domain.company\",\"mail\":\"user{number}@mail.domain.company\",\
             \"onPremisesImmutableId\":\"{id}\",\"accountEnabled\":true,\"userType\":\"Member\"}}"
        )
        .unwrap();
    }
    text + "]}"
}

fn row(count: usize, name: &str, file: &str) -> String {
    let before = LIVE.load(Ordering::Relaxed);
    let mut loads = Vec::new();
    let mut most = 0;
    for _ in 0..ROUNDS {
        MOST.store(LIVE.load(Ordering::Relaxed), Ordering::Relaxed);
        let begun = Instant::now();
        black_box(Directory::load(file.as_bytes()).unwrap());
        loads.push(begun.elapsed().as_secs_f64());
        most = MOST.load(Ordering::Relaxed) - before;
    }
    let directory = Directory::load(file.as_bytes()).unwrap().directory;
    let kept = LIVE.load(Ordering::Relaxed) - before;
    assert_eq!(directory.len(), count);

    // strangers to each other, so that no cache helps
    let ids: Vec<String> = (0..count.min(200_000)).map(|n| id(n * 7919 % count)).collect();
    let look_up = each(&ids, |id| matches!(directory.lookup(id), Lookup::One(_)));
    let addresses: Vec<String> = (0..ids.len()).map(|n| format!("User{}@domain.company", n * 7919 % count)).collect();
    let by_address = each(&addresses, |address| directory.find_by_address(address).is_some());
    let strangers: Vec<String> = addresses.iter().take(2_000).cloned().collect();
    let near_miss = each(&strangers, |name_id| diagnose(&directory, name_id).is_some());
    let while_loading = while_loading(directory, file);
    let mega = |bytes: usize| bytes as f64 / 1e6;
    format!(
        "| {count} | {name} | {:.0} | {:.2} | {:.0} | {:.0} | {:.0} | {look_up:.0} | {by_address:.0} | {:.1} | {while_loading} |",
        mega(file.len()),
        median(loads),
        mega(kept),
        mega(most),
        kept as f64 / count as f64,
        near_miss / 1_000.0
    )
}

/// Nanoseconds that each takes; each must succeed.
fn each(all: &[String], does: impl Fn(&str) -> bool) -> f64 {
    let figures = (0..ROUNDS).map(|_| {
        let begun = Instant::now();
        assert!(all.iter().all(|one| does(one)));
        begun.elapsed().as_nanos() as f64 / all.len() as f64
    });
    median(figures.collect())
}

/// Sign-ins that were judged, and how long the slowest took, while the same file was loaded and put in place.
fn while_loading(directory: Directory, file: &str) -> String {
    let key = Key::of_fixture("current");
    let with = |directory: Directory| {
        let mut judge = judge(&key);
        judge.federations[0].users = Some(Arc::new(directory));
        judge
    };
    let posted = form(&response(&key, 0, &Wish::default()));
    let held = ArcSwap::from_pointee(with(directory));
    let loaded = AtomicBool::new(false);
    let (mut judged, mut slowest) = (0_usize, 0_u128);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let again = Directory::load(file.as_bytes()).unwrap().directory;
            held.store(Arc::new(with(again)));
            loaded.store(true, Ordering::Release);
        });
        // once more by what was put in place
        let mut last = false;
        while !last {
            last = loaded.load(Ordering::Acquire);
            let begun = Instant::now();
            let inspection = held.load().inspect(Posted::Form(&posted), now(), Effort::Verdict);
            slowest = slowest.max(begun.elapsed().as_micros());
            assert!(inspection.verdict.accepted);
            judged += 1;
        }
    });
    format!("{judged}, slowest {slowest} µs")
}
