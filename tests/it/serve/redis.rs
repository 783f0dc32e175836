//! Assertions that two proxies remember together in a real Redis: by TLS, as a user with few rights, and through failovers.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hyper::StatusCode;
use jiff::Timestamp;
use rustix::process::{Pid, Signal, kill_process};
use samlgate::replay::{QUESTIONS, Settings, SharedStore};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::bench::{Bench, PATIENCE};
use super::shared::{REPLAY, TIMEOUT, proxy_at, sign_in};

/// Longer than a store that failed is left alone.
const PAUSE: Duration = Duration::from_millis(1_100);

/// A Redis of this test's own, on a port that nobody has.
struct Redis {
    child: Child,
    address: SocketAddr,
    /// What a replica was sent lies there.
    _folder: TempDir,
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Redis {
    async fn start(arguments: &[&str]) -> Self {
        Self::start_at(free().await, "--port", arguments).await
    }

    async fn start_at(address: SocketAddr, port: &str, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let child = Command::new("redis-server")
            .current_dir(&folder)
            .args(["--bind", "127.0.0.1", port, &address.port().to_string(), "--save", "", "--appendonly", "no"])
            .args(arguments)
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed (Debian: redis-server)");
        let redis = Self { child, address, _folder: folder };
        let up = async {
            while TcpStream::connect(address).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, up).await.expect("redis-server listens");
        redis
    }

    /// What it says to a command.
    async fn says(&self, command: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(format!("{command}\r\nQUIT\r\n").as_bytes()).await.unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).await.unwrap();
        said
    }

    async fn until(&self, command: &str, words: &str) {
        let until = async {
            while !self.says(command).await.contains(words) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, until).await.expect(words);
    }

    /// It neither answers nor goes away, like a machine without power.
    fn stands_still(&self) {
        kill_process(Pid::from_child(&self.child), Signal::STOP).unwrap();
    }
}

async fn free() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

/// One address that leads to whoever is the master: what was connected stays where it is.
#[derive(Clone)]
struct Service {
    address: SocketAddr,
    master: Arc<Mutex<SocketAddr>>,
}

impl Service {
    async fn to(master: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let service = Self { address: listener.local_addr().unwrap(), master: Arc::new(Mutex::new(master)) };
        let master = Arc::clone(&service.master);
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let to = *master.lock().unwrap();
                tokio::spawn(async move {
                    let mut far = TcpStream::connect(to).await.ok()?;
                    tokio::io::copy_bidirectional(&mut near, &mut far).await.ok()
                });
            }
        });
        service
    }

    fn leads_to(&self, redis: &Redis) {
        *self.master.lock().unwrap() = redis.address;
    }
}

/// A sign-in that waits for the store no longer than it may.
async fn timely(bench: &Bench, story: &str) -> StatusCode {
    let begun = Instant::now();
    let status = sign_in(bench, story).await;
    // the rest is judging
    assert!(begun.elapsed() < TIMEOUT + Duration::from_secs(1), "{story}: {:?}", begun.elapsed());
    status
}

async fn errors(bench: &Bench, count: u64) {
    bench.until(&format!("samlgate_replay_store_errors_total {count}")).await;
}

/// The first use is one, however many ask at one time; and a store that was away is used again, though it has forgotten everything.
#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_two_proxies_one_is_first_by_redis() {
    let store = Redis::start(&[]).await;
    let address = store.address;
    let url = format!("redis://{address}/0");
    let proxies = [Arc::new(proxy_at(&url, "").await), Arc::new(proxy_at(&url, "").await)];
    for story in ["in_response_to_present", "destination_absent", "comment_in_the_assertion"] {
        let mut tasks = tokio::task::JoinSet::new();
        for proxy in proxies.iter().cycle().take(20) {
            let proxy = Arc::clone(proxy);
            tasks.spawn(async move { sign_in(&proxy, story).await });
        }
        let answers = tasks.join_all().await;
        assert_eq!(answers.iter().filter(|status| **status == StatusCode::OK).count(), 1, "{story}: {answers:?}");
    }
    drop(store);
    let [one, other] = &proxies;
    assert_eq!(sign_in(one, "conditions_without_not_before").await, StatusCode::OK);
    errors(one, 1).await;
    let _store = Redis::start_at(address, "--port", &[]).await;
    // it is found again, and what one proxy learns then the other one knows
    let stories = ["byte_order_mark", "made_by_lasso", "made_by_pysaml2", "made_by_simplesamlphp", "no_key_info"];
    for story in stories {
        // both leave it alone for a second after each failure
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        if sign_in(one, story).await == StatusCode::OK && sign_in(other, story).await == StatusCode::FORBIDDEN {
            return;
        }
    }
    panic!("the store is not found again");
}

/// A master, and a replica that has everything of it.
async fn pair() -> (Redis, Redis) {
    let master = Redis::start(&[]).await;
    let port = master.address.port().to_string();
    let replica = Redis::start(&["--replicaof", "127.0.0.1", &port, "--repl-diskless-sync-delay", "0"]).await;
    replica.until("INFO replication", "master_link_status:up").await;
    (master, replica)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_takes_over_from_a_silent_master_is_asked_and_knows_what_was_used() {
    let (master, replica) = pair().await;
    let service = Service::to(master.address).await;
    let url = format!("redis://{}/0", service.address);
    let closed = proxy_at(&url, "on_error = \"fail_closed\"\n").await;
    let open = proxy_at(&url, "on_error = \"fail_open\"\n").await;
    assert_eq!(timely(&closed, "in_response_to_present").await, StatusCode::OK);
    assert_eq!(timely(&open, "no_key_info").await, StatusCode::OK);
    replica.until("DBSIZE", ":2\r\n").await;

    // its connections stay open, and nothing comes back
    master.stands_still();
    assert_eq!(timely(&closed, "destination_absent").await, StatusCode::FORBIDDEN);
    assert_eq!(timely(&open, "comment_in_the_assertion").await, StatusCode::OK);
    // and is let alone for a while, by the same setting
    assert_eq!(timely(&closed, "made_by_lasso").await, StatusCode::FORBIDDEN);
    errors(&closed, 2).await;
    errors(&open, 1).await;

    // the address leads to the replica before it may write
    service.leads_to(&replica);
    tokio::time::sleep(PAUSE).await;
    assert_eq!(timely(&closed, "made_by_pysaml2").await, StatusCode::FORBIDDEN);
    errors(&closed, 3).await;
    closed.until(&format!("{REPLAY},outcome=\"fail\"}} 3")).await;

    assert!(replica.says("REPLICAOF NO ONE").await.starts_with("+OK"));
    tokio::time::sleep(PAUSE).await;
    // what one proxy let through before, the other refuses after
    assert_eq!(timely(&open, "in_response_to_present").await, StatusCode::FORBIDDEN);
    assert_eq!(timely(&closed, "no_key_info").await, StatusCode::FORBIDDEN);
    assert_eq!(timely(&closed, "byte_order_mark").await, StatusCode::OK);
    errors(&closed, 3).await;
    closed.stop().await;
    open.stop().await;
}

/// Redis keeps the connections of a master that it makes a replica: who stayed on them would never write again.
#[tokio::test(flavor = "multi_thread")]
async fn a_master_that_is_made_a_replica_is_left_for_the_new_one() {
    let (master, replica) = pair().await;
    let service = Service::to(master.address).await;
    let bench = proxy_at(&format!("redis://{}/0", service.address), "on_error = \"fail_closed\"\n").await;
    assert_eq!(timely(&bench, "in_response_to_present").await, StatusCode::OK);
    // a master answers before its replica has heard of it
    replica.until("DBSIZE", ":1\r\n").await;
    assert!(replica.says("REPLICAOF NO ONE").await.starts_with("+OK"));
    let port = replica.address.port();
    assert!(master.says(&format!("REPLICAOF 127.0.0.1 {port}")).await.starts_with("+OK"));
    service.leads_to(&replica);
    assert_eq!(timely(&bench, "destination_absent").await, StatusCode::FORBIDDEN);
    errors(&bench, 1).await;
    tokio::time::sleep(PAUSE).await;
    assert_eq!(timely(&bench, "no_key_info").await, StatusCode::OK);
    errors(&bench, 1).await;
    replica.until("DBSIZE", ":2\r\n").await;
    bench.stop().await;
}

/// A Redis that speaks TLS alone, and knows one user, who may do what the manual says.
async fn by_tls(folder: &Path, password: &str) -> (Redis, String) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let file = |name: &str, text: String| {
        std::fs::write(folder.join(name), text).unwrap();
        folder.join(name).to_str().unwrap().to_owned()
    };
    let (certificate, key) = (file("redis.pem", made.cert.pem()), file("redis.key", made.signing_key.serialize_pem()));
    let operation =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/manual/operation.md")).unwrap();
    let rule = operation.lines().find_map(|line| line.strip_prefix("user samlgate ")).unwrap();
    let rule = rule.replace("PASSWORD", password);
    let mut arguments =
        vec!["--port", "0", "--tls-cert-file", &certificate, "--tls-key-file", &key, "--tls-auth-clients", "no"];
    arguments.extend(["--user", "default", "off", "--user", "samlgate"]);
    arguments.extend(rule.split(' '));
    (Redis::start_at(free().await, "--tls-port", &arguments).await, certificate)
}

#[tokio::test(flavor = "multi_thread")]
async fn by_tls_a_store_is_verified_and_asked_by_a_user_with_few_rights() {
    let folder = tempfile::tempdir().unwrap();
    let (store, certificate) = by_tls(folder.path(), "not-for-logs").await;
    let url = |password: &str| format!("rediss://samlgate:{password}@{}/0", store.address);
    let trusting = format!("ca = {certificate:?}\non_error = \"fail_closed\"\n");
    let (one, other) =
        (proxy_at(&url("not-for-logs"), &trusting).await, proxy_at(&url("not-for-logs"), &trusting).await);
    assert_eq!(timely(&one, "in_response_to_present").await, StatusCode::OK);
    assert_eq!(timely(&other, "in_response_to_present").await, StatusCode::FORBIDDEN);
    errors(&one, 0).await;
    errors(&other, 0).await;

    // whom nobody vouches for, who does not speak TLS at all, and who does not know us
    let nobody = proxy_at(&url("not-for-logs"), "on_error = \"fail_closed\"\n").await;
    let plain = url("not-for-logs").replace("rediss://", "redis://");
    let plain = proxy_at(&plain, "on_error = \"fail_closed\"\n").await;
    let stranger = proxy_at(&url("another"), &trusting).await;
    for bench in [&nobody, &plain, &stranger] {
        assert_eq!(timely(bench, "destination_absent").await, StatusCode::FORBIDDEN);
        errors(bench, 1).await;
    }
    // nor was it asked for
    assert_eq!(timely(&one, "destination_absent").await, StatusCode::OK);
}

/// What the page on scale says that an assertion takes of Redis' memory, by as many as sign in on a busy morning.
#[tokio::test(flavor = "multi_thread")]
async fn an_assertion_takes_as_much_of_redis_as_the_manual_says() {
    const ASSERTIONS: u32 = 100_000;
    let redis = Redis::start(&[]).await;
    let used = async || -> u64 {
        let said = redis.says("INFO memory").await;
        said.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap().trim().parse().unwrap()
    };
    let url = format!("redis://{}/0", redis.address);
    let settings = Settings { url, timeout: PATIENCE, closed: true, extra_roots: Vec::new() };
    let store = Arc::new(SharedStore::new(&settings, None).unwrap());
    let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
    let until = now + jiff::SignedDuration::from_mins(10);
    let first = |number: u32| {
        let store = Arc::clone(&store);
        let issuer = "https://authentik.company/application/saml/m365/metadata/";
        async move { store.first_use(issuer, &format!("_{number}"), until, now).await.unwrap() }
    };
    assert!(first(0).await);
    let before = used().await;
    for some in (1..=ASSERTIONS).collect::<Vec<_>>().chunks(QUESTIONS) {
        let asked: tokio::task::JoinSet<bool> = some.iter().copied().map(first).collect();
        assert!(asked.join_all().await.into_iter().all(|first| first));
    }
    redis.until("DBSIZE", &format!(":{}\r\n", ASSERTIONS + 1)).await;
    let bytes = (used().await - before) / u64::from(ASSERTIONS);
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/manual/scale.md")).unwrap();
    let line = page.lines().find(|line| line.starts_with("| an assertion in Redis |")).unwrap();
    let said: u64 = line.split('|').nth(2).unwrap().trim().trim_end_matches(" B").parse().unwrap();
    assert!(said.abs_diff(bytes) * 10 <= said, "{bytes} bytes, and the manual says {said}");
}
