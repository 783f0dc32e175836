//! What a judgement costs: stage by stage, and as a whole against the arithmetic that it cannot do without and against others.
//!
//! `cargo bench --bench judge` measures everything, `-- --quick` shows within a minute that everything works. With
//! `LIBXMLSEC1` set to the program that `benches/xmlsec1.sh` builds, libxmlsec1 verifies the same documents in the same run.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, reason = "benchmark")]

mod documents;
mod figures;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, VerificationAlgorithm,
};
use base64_simd::STANDARD as BASE64;
use bergshamra::{DsigContext, KeysManager};
use criterion::{Criterion, Throughput};
use documents::{Covers, DS, Key, Parts, Wish, assertion_of, cpu, form, judge, now, parse, response};
use figures::median;
use samlgate::check::{Before, Facts, conclude, run_all};
use samlgate::dsig::{Context, verify};
use samlgate::inspect::{Effort, Judge, Posted, decode};
use samlgate::limits::Limits;
use samlgate::saml::{Claims, Response};
use samlgate::xml::{self, Document};

/// Distinct documents of each shape.
const DOCUMENTS: usize = 64;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let has = |wanted: &str| arguments.iter().any(|argument| argument == wanted);
    let rounds = if has("--quick") { 5 } else { 60 };
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    stages(&mut criterion);
    criterion.final_summary();
    // without `--bench` this is a test that everything runs; with a filter only the stages were asked for
    if has("--bench") && arguments.iter().skip(1).all(|argument| argument.starts_with("--")) {
        compare(rounds);
    }
}

// --- documents -------------------------------------------------------------------------------------------------------

/// A size, what is signed, and by which key.
#[derive(Clone, Copy)]
struct Shape {
    bytes: usize,
    covers: Covers,
    key: &'static str,
}

/// The documents of one shape, with all that the contestants need of them.
struct Documents {
    judge: Judge,
    context: DsigContext,
    made: Vec<Made>,
    public: ParsedPublicKey,
}

struct Made {
    xml: String,
    form: Vec<u8>,
    field: Vec<u8>,
    /// The canonical forms that are signed, and SignatureValue.
    signed: Vec<(Parts, Vec<u8>)>,
}

impl Documents {
    fn new(shape: Shape) -> Self {
        let key = Key::of_fixture(shape.key);
        // a signature with its certificate is larger than 2 kB already
        let wish = Wish { covers: shape.covers, key_info: shape.bytes > 3_000, ..Wish::default() };
        let filling = groups(&key, &wish, shape.bytes);
        let wish = Wish { attributes: &filling, ..wish };
        let made = (0..DOCUMENTS).map(|n| Made::new(response(&key, n, &wish))).collect();
        let mut keys = KeysManager::new();
        keys.add_key(bergshamra::keys::loader::load_x509_cert_der(&key.certificate).unwrap());
        let algorithm: &'static dyn VerificationAlgorithm =
            if key.is_rsa() { &RSA_PKCS1_2048_8192_SHA256 } else { &ECDSA_P256_SHA256_FIXED };
        let (_, certificate) = x509_parser::parse_x509_certificate(&key.certificate).unwrap();
        let public = ParsedPublicKey::new(algorithm, certificate.public_key().raw).unwrap();
        let documents = Self { judge: judge(&key), context: DsigContext::new(keys), made, public };
        for n in 0..DOCUMENTS {
            assert!(documents.whole(n) && documents.floor(n) && documents.bergshamra(n), "document {n}");
        }
        documents
    }

    /// The posted form to its verdict.
    fn whole(&self, n: usize) -> bool {
        let form = Posted::Form(&self.made[n].form);
        black_box(self.judge.inspect(form, now(), Effort::Verdict)).verdict.accepted
    }

    /// What no judgement can do without: the base64, the digest and the signature, all else being known.
    fn floor(&self, n: usize) -> bool {
        let made = &self.made[n];
        let mut decoded = Vec::with_capacity(made.field.len() / 4 * 3);
        BASE64.decode_append(&made.field, &mut decoded).unwrap();
        black_box(&decoded);
        made.signed.iter().all(|(parts, value)| {
            black_box(digest(&SHA256, &parts.element));
            self.public.verify_sig(&parts.signed_info, value).is_ok()
        })
    }

    /// The signatures alone, of the decoded document.
    fn bergshamra(&self, n: usize) -> bool {
        let results = bergshamra::verify_all(&self.context, &self.made[n].xml).unwrap();
        results.iter().all(bergshamra::VerifyResult::is_valid)
    }
}

impl Made {
    fn new(xml: String) -> Self {
        let document = parse(&xml);
        let elements = [document.root(), assertion_of(&document)];
        let signed = elements.into_iter().filter_map(|element| {
            let signature = document.children_named(element, DS, "Signature").next()?;
            let value = document.children_named(signature, DS, "SignatureValue").next()?;
            Some((Parts::of(&document, element), BASE64.decode_to_vec(document.text_in(value).as_ref()).unwrap()))
        });
        let signed = signed.collect();
        Self { form: form(&xml), field: BASE64.encode_to_string(&xml).into_bytes(), signed, xml }
    }
}

/// Memberships of groups, until a document has about so many bytes.
fn groups(key: &Key, wish: &Wish<'_>, bytes: usize) -> String {
    let missing = bytes.saturating_sub(response(key, 0, wish).len());
    if missing < 200 {
        return String::new();
    }
    let value =
        |n: usize| format!("<saml:AttributeValue>CN=Group {n:06},OU=Groups,DC=domain,DC=company</saml:AttributeValue>");
    let values: String = (0..missing / value(0).len()).map(value).collect();
    format!(r#"<saml:Attribute Name="http://schemas.xmlsoap.org/claims/Group">{values}</saml:Attribute>"#)
}

// --- stages ----------------------------------------------------------------------------------------------------------

fn stages(criterion: &mut Criterion) {
    for (bytes, name) in [(2_000, "2 kB"), (6_000, "6 kB"), (50_000, "50 kB")] {
        let documents = Documents::new(Shape { bytes, covers: Covers::Assertion, key: "current" });
        let limits = Limits::default();
        let parsed: Vec<Document> = documents.made.iter().map(|made| parse(&made.xml)).collect();
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(documents.made[0].xml.len() as u64));
        let mut n = 0;
        let mut next = move || {
            n = (n + 1) % DOCUMENTS;
            n
        };
        group.bench_function("form and base64", |bencher| {
            bencher.iter(|| decode(Posted::Form(&documents.made[next()].form), &limits));
        });
        group.bench_function("parse", |bencher| {
            bencher.iter(|| xml::parse(documents.made[next()].xml.clone().into_bytes(), &limits));
        });
        group.bench_function("canonical form and digest", |bencher| {
            bencher.iter(|| {
                let document = &parsed[next()];
                digest(&SHA256, &Parts::of(document, assertion_of(document)).element)
            });
        });
        group.bench_function("RSA", |bencher| {
            bencher.iter(|| {
                let (parts, value) = &documents.made[next()].signed[0];
                documents.public.verify_sig(&parts.signed_info, value)
            });
        });
        let federation = &documents.judge.federations[0];
        let keys = [&federation.keys[0].key];
        let context = Context { keys: &keys, limits: &limits, diagnose: false };
        let read = |document| {
            let response = Response::read(document);
            let signable: Vec<_> = [Some(response.node), response.assertion].into_iter().flatten().collect();
            (response, signable)
        };
        group.bench_function("signature", |bencher| {
            let signables: Vec<_> = parsed.iter().map(|document| read(document).1).collect();
            bencher.iter(|| {
                let n = next();
                verify(&parsed[n], &signables[n], &context).examined().len()
            });
        });
        group.bench_function("claims and checks", |bencher| {
            let signatures: Vec<_> =
                parsed.iter().map(|document| verify(document, &read(document).1, &context)).collect();
            bencher.iter(|| {
                let n = next();
                let (response, _) = read(&parsed[n]);
                let claims = Claims::of_signed(&signatures[n].signed(response.assertion.unwrap()).unwrap());
                let facts = Facts {
                    response: &response,
                    claims: Some(&claims),
                    signatures: &signatures[n],
                    federation: Some(federation),
                    issuers: &[federation.issuer.as_deref().unwrap()],
                    policy: &documents.judge.policy,
                    now: now(),
                    memory: None,
                };
                conclude(run_all(&facts, Before::default()), &documents.judge.policy).accepted
            });
        });
        group.bench_function("whole", |bencher| bencher.iter(|| documents.whole(next())));
        group.finish();
    }
}

// --- the table -------------------------------------------------------------------------------------------------------

/// What has to be, and what would be good, as medians over the shapes that a ratio is judged by: RSA-2048 at 6 kB.
const GOALS: &str = "must: whole/floor <= 2.0, bergshamra/whole >= 1.4, libxmlsec1/whole >= 3, allocations <= 40 \
    (reach for 1.6, 1.9, 4, 15), with RSA-2048 at 6 kB";

fn compare(rounds: usize) {
    println!(
        "\nMedians of {rounds} rounds over {DOCUMENTS} documents, in µs of CPU a document. The contestants take turns.\n"
    );
    println!(
        "| key | signed | bytes | floor | whole | bergshamra | libxmlsec1 | whole/floor | bergshamra/whole | libxmlsec1/whole | allocations | bytes allocated |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|");
    for key in ["current", "rsa4096", "p256"] {
        for covers in [Covers::Assertion, Covers::Response, Covers::Both] {
            for bytes in [2_000, 6_000, 50_000] {
                row(Shape { bytes, covers, key }, rounds);
            }
        }
    }
    let documents = Documents::new(Shape { bytes: 6_000, covers: Covers::Assertion, key: "current" });
    let limits = Limits::default();
    let (whole, _) = allocations(|n| documents.whole(n));
    let (decoding, _) = allocations(|n| decode(Posted::Form(&documents.made[n].form), &limits).xml.is_some());
    let sources: Vec<_> = documents.made.iter().map(|made| Cell::new(made.xml.clone().into_bytes())).collect();
    let (parsing, _) = allocations(|n| xml::parse(sources[n].take(), &limits).is_ok());
    println!("\nAllocations with RSA-2048 at 6 kB: {whole} in all, {decoding} to decode, {parsing} to parse");
    println!("\n{GOALS}");
}

fn row(shape: Shape, rounds: usize) {
    let documents = Documents::new(shape);
    let mut xmlsec1 = Xmlsec1::start(&documents, shape);
    let [mut floor, mut whole, mut bergshamra, mut others] = [const { Vec::new() }; 4];
    for _ in 0..rounds {
        // turns that are short enough for all to see the same noise; the first pass of each warms the caches up, as in a
        // hot loop
        let run = |contestant: fn(&Documents, usize) -> bool| {
            let pass = || (0..DOCUMENTS).all(|n| contestant(&documents, n));
            assert!(pass());
            let begun = cpu();
            assert!(pass());
            (cpu() - begun) / DOCUMENTS as f64
        };
        floor.push(run(Documents::floor));
        whole.push(run(Documents::whole));
        bergshamra.push(run(Documents::bergshamra));
        others.extend(xmlsec1.as_mut().map(Xmlsec1::round));
    }
    let [floor, whole, bergshamra] = [floor, whole, bergshamra].map(median);
    let (allocations, allocated) = allocations(|n| documents.whole(n));
    let name = match shape.key {
        "current" => "RSA-2048",
        "rsa4096" => "RSA-4096",
        _ => "P-256",
    };
    let (others, ratio) = match others.is_empty() {
        true => ("".to_owned(), "".to_owned()),
        false => {
            let others = median(others);
            (format!("{others:.1}"), format!("{:.2}", others / whole))
        }
    };
    println!(
        "| {name} | {:?} | {} | {floor:.1} | {whole:.1} | {bergshamra:.1} | {others} | {:.2} | {:.2} | {ratio} | {allocations:.1} | {allocated:.0} |",
        shape.covers,
        documents.made[0].xml.len(),
        whole / floor,
        bergshamra / whole,
    );
}

// --- libxmlsec1 ------------------------------------------------------------------------------------------------------

/// `benches/libxmlsec1.c` at work: it verifies all documents once for each line that it is sent, and answers with the time.
struct Xmlsec1 {
    process: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    _folder: tempfile::TempDir,
}

impl Xmlsec1 {
    fn start(documents: &Documents, shape: Shape) -> Option<Self> {
        let program = std::env::var_os("LIBXMLSEC1").filter(|_| shape.covers != Covers::Both)?;
        let folder = tempfile::tempdir().unwrap();
        let certificate = folder.path().join("certificate");
        std::fs::write(&certificate, documents::fixture(&format!("certificates/{}.cer", shape.key))).unwrap();
        let files = documents.made.iter().enumerate().map(|(n, made)| {
            let path = folder.path().join(format!("{n}.xml"));
            std::fs::write(&path, &made.xml).unwrap();
            path
        });
        let mut command = Command::new(program);
        command.arg(&certificate).args(files).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let (orders, answers) = (process.stdin.take().unwrap(), BufReader::new(process.stdout.take().unwrap()));
        Some(Self { process, orders, answers, _folder: folder })
    }

    /// Microseconds a document.
    fn round(&mut self) -> f64 {
        writeln!(self.orders).unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        answer.trim().parse().unwrap()
    }
}

impl Drop for Xmlsec1 {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

// --- allocations -----------------------------------------------------------------------------------------------------

/// The system's allocator, counting while it is asked to.
struct Counting;

static COUNTS: AtomicBool = AtomicBool::new(false);
static CALLS: AtomicUsize = AtomicUsize::new(0);
static BYTES: AtomicUsize = AtomicUsize::new(0);

fn count(bytes: usize) {
    if COUNTS.load(Ordering::Relaxed) {
        CALLS.fetch_add(1, Ordering::Relaxed);
        BYTES.fetch_add(bytes, Ordering::Relaxed);
    }
}

#[expect(unsafe_code, reason = "an allocator cannot be written without; every call goes on to the system's as it is")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations and allocated bytes of the work on one document.
fn allocations(work: impl Fn(usize) -> bool) -> (f64, f64) {
    CALLS.store(0, Ordering::Relaxed);
    BYTES.store(0, Ordering::Relaxed);
    COUNTS.store(true, Ordering::Relaxed);
    let all = (0..DOCUMENTS).all(work);
    COUNTS.store(false, Ordering::Relaxed);
    assert!(all);
    let each = |counter: &AtomicUsize| counter.load(Ordering::Relaxed) as f64 / DOCUMENTS as f64;
    (each(&CALLS), each(&BYTES))
}
