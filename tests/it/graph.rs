//! The client of Microsoft Graph against the fake one, over TLS: pages, changes, and everything that goes wrong.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use samlgate::app::Published;
use samlgate::config::Config;
use samlgate::lab::{self, FakeDomain, Graph as Fake, GraphFault, Mishap, People};
use samlgate::proxy::{Authority, ServerCertificate};
use samlgate::source::graph::{Access, Credential, Graph, GraphError, Patience, Subject};
use samlgate::source::{Bounds, Client, Failure, Pace, Url};
use samlgate::tenant::{Directory, DomainPolicy, Lookup, Settings, Sources};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Users of the fake, of which one page has [`PAGE`].
const USERS: usize = 2000;
const PAGE: usize = 100;

struct Bench {
    fake: Arc<Fake>,
    graph: Graph,
    root: Vec<u8>,
    address: SocketAddr,
    _stop: watch::Sender<bool>,
}

fn patience() -> Patience {
    Patience { tries: 4, first_wait: Duration::from_millis(1), longest_wait: Duration::from_secs(5) }
}

fn fake(users: usize) -> Fake {
    fake_with(users, |_| {})
}

fn fake_with(users: usize, change: impl FnOnce(&mut Fake)) -> Fake {
    let (judge, _) = crate::mint::tenant();
    let domains = judge.federations.iter().map(|federation| FakeDomain::of(federation, &Sources::default()));
    let managed = FakeDomain { name: "managed.company".into(), root: "managed.company".into(), federation: None };
    let people = People::default().and_made_up(users, "domain.company");
    let mut fake = Fake::new(domains.chain([managed]).collect(), people, Timestamp::now);
    (fake.page_size, fake.retry_after, fake.tls) = (PAGE, 0, true);
    change(&mut fake);
    fake
}

async fn bench(fake: Fake) -> Bench {
    bench_of(fake, Credential::secret("lab").unwrap(), patience(), Timestamp::now).await
}

async fn bench_of(fake: Fake, credential: Credential, patience: Patience, now: fn() -> Timestamp) -> Bench {
    let hosts = ["localhost".to_owned()];
    let created = Authority::create(&hosts, Timestamp::now(), 4).unwrap();
    let authority = Authority::from_pem(created.certificate.as_bytes(), created.key.as_bytes()).unwrap();
    let root = authority.certificate().to_vec();
    let certificate = ServerCertificate::minted(authority, hosts.to_vec(), Timestamp::now).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let fake = Arc::new(fake);
    let (stop, stops) = watch::channel(false);
    tokio::spawn(lab::serve(listener, Some(certificate.config()), Arc::clone(&fake) as _, stops));
    let graph = graph(address, &root, credential, patience, now);
    Bench { fake, graph, root, address, _stop: stop }
}

fn graph(
    address: SocketAddr,
    root: &[u8],
    credential: Credential,
    patience: Patience,
    now: fn() -> Timestamp,
) -> Graph {
    let client = Client::new(&[root.to_vec()], Bounds::default()).unwrap();
    let here = Url::parse(&format!("https://localhost:{}", address.port())).unwrap();
    let access = Access {
        tenant: "domain.company".to_owned(),
        client_id: "00000000-0000-4000-8000-00000000c11e".to_owned(),
        credential,
        login: here.clone(),
        endpoint: here,
    };
    Graph::new(client, access, patience, now)
}

fn holds(directory: &Directory, upn: &str) -> bool {
    directory.find_by_address(upn).is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_domains_and_policy_are_read() {
    let mut bench = bench(fake(0)).await;
    let (judge, _) = crate::mint::tenant();
    let expected = &judge.federations[0];
    let domain = expected.domain.as_deref().unwrap();
    let bytes = bench.graph.federation(domain).await.unwrap().unwrap();
    let settings = Settings::parse(&bytes, Some(domain)).unwrap();
    assert_eq!(settings.issuer_uri, expected.issuer);
    assert_eq!(settings.current_certificate().unwrap().der, expected.keys[0].key.certificate().der);
    assert_eq!(bench.graph.federation("managed.company").await.unwrap(), None);

    let domains = bench.graph.domains().await.unwrap();
    assert_eq!(domains.root_of(&format!("sub.{domain}")), Some(domain));
    assert_eq!(domains.federated, [domain]);
    assert_eq!(bench.graph.policy().await.unwrap(), Some(DomainPolicy::All));
    assert_eq!(bench.fake.tokens_issued(), 1);

    let validating = Some("allManagedAndEnumeratedFederated domain.company".to_owned());
    let mut bench = self::bench(fake_with(0, |fake| fake.validating = validating)).await;
    let expected = DomainPolicy::Enumerated(vec!["domain.company".to_owned()]);
    assert_eq!(bench.graph.policy().await.unwrap(), Some(expected));
    let mut bench = self::bench(fake_with(0, |fake| fake.validating = None)).await;
    assert_eq!(bench.graph.policy().await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn users_are_read_to_the_last_page_and_then_by_what_changed() {
    let mut bench = bench(fake(USERS)).await;
    let first = bench.graph.users().await.unwrap();
    assert_eq!(first.len(), USERS);
    let id = first.user_at(7).unwrap().immutable_id.unwrap().to_owned();
    assert!(matches!(first.lookup(&id), Lookup::One(user) if user.upn == "user7@domain.company"));

    // nothing changed: the very directory stays
    assert!(Arc::ptr_eq(&first, &bench.graph.users().await.unwrap()));

    bench.fake.people(|people| {
        people.change(7, &json!({"accountEnabled": false}));
        people.change(7, &json!({"mail": null}));
        people.change(8, &json!({"onPremisesImmutableId": "anew"}));
        people.change(9, &json!({"displayName": "nothing that is asked for"}));
        people.remove(10);
        people.add(&json!({"userPrincipalName": "added@domain.company", "onPremisesImmutableId": "added"}));
        // more than one page of changes
        (100..100 + 2 * PAGE).for_each(|number| people.change(number, &json!({"accountEnabled": false})));
    });
    let second = bench.graph.users().await.unwrap();
    assert_eq!(second.len(), USERS);
    let Lookup::One(user) = second.lookup(&id) else { unreachable!() };
    assert_eq!((user.upn, user.mail, user.account_enabled), ("user7@domain.company", None, Some(false)));
    assert!(matches!(second.lookup("anew"), Lookup::One(user) if user.upn == "user8@domain.company"));
    assert!(matches!(second.lookup("added"), Lookup::One(user) if user.upn == "added@domain.company"));
    assert!(!holds(&second, "user10@domain.company") && holds(&second, "user9@domain.company"));
    let disabled = second.users().filter(|user| user.account_enabled == Some(false)).count();
    assert_eq!(disabled, 2 * PAGE + 1);
    // whoever judges by the first one is not disturbed
    assert!(holds(&first, "user10@domain.company"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_in_the_middle_of_page_7_of_20_costs_nothing() {
    let mut bench = bench(fake(USERS)).await;
    bench.fake.let_happen(Mishap { page: Some(7), ..Mishap::new(GraphFault::Cut) });
    assert_eq!(bench.graph.users().await.unwrap().len(), USERS);
    assert_eq!(bench.fake.happened(GraphFault::Cut), 1);

    // where it breaks each time there is an end of it, and the next time all goes well
    let mut bench = self::bench(fake(USERS)).await;
    bench.fake.let_happen(Mishap { page: Some(7), times: Some(4), ..Mishap::new(GraphFault::Cut) });
    let error = bench.graph.users().await.unwrap_err();
    assert!(matches!(error, GraphError::Failure(Failure::Broken(_))), "{error}");
    assert_eq!(bench.graph.users().await.unwrap().len(), USERS);
}

#[tokio::test(flavor = "multi_thread")]
async fn throttling_is_waited_out_for_as_long_as_it_asks() {
    for fault in [GraphFault::Throttled, GraphFault::Unavailable] {
        let mut bench = bench(fake_with(USERS, |fake| fake.retry_after = 1)).await;
        bench.fake.let_happen(Mishap { page: Some(3), ..Mishap::new(fault) });
        let began = Instant::now();
        assert_eq!(bench.graph.users().await.unwrap().len(), USERS);
        assert!(began.elapsed() >= Duration::from_secs(1));
        assert_eq!(bench.fake.happened(fault), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn throttling_that_asks_for_too_much_is_told() {
    let mut bench = bench(fake_with(USERS, |fake| fake.retry_after = 3600)).await;
    bench.fake.let_happen(Mishap::new(GraphFault::Throttled));
    let error = bench.graph.users().await.unwrap_err();
    assert_eq!(error.to_string(), "Graph is busy: 429, to be asked again in 3600 s");
    let mut bench = self::bench(fake(USERS)).await;
    bench.fake.let_happen(Mishap { times: Some(100), ..Mishap::new(GraphFault::Unavailable) });
    let error = bench.graph.users().await.unwrap_err();
    assert!(matches!(error, GraphError::Busy { status: 503, .. }), "{error}");
    assert_eq!(bench.fake.happened(GraphFault::Unavailable), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delta_link_that_is_too_old_has_all_users_read_anew() {
    let mut bench = bench(fake(USERS)).await;
    let first = bench.graph.users().await.unwrap();
    bench.fake.people(|people| people.remove(1999));
    bench.fake.let_happen(Mishap::new(GraphFault::Gone));
    let second = bench.graph.users().await.unwrap();
    assert_eq!((first.len(), second.len()), (USERS, USERS - 1));
    assert_eq!(bench.fake.happened(GraphFault::Gone), 1);
    // and what changes from then on is told again
    bench.fake.people(|people| people.remove(1));
    assert_eq!(bench.graph.users().await.unwrap().len(), USERS - 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_known_stays_known_while_graph_is_away() {
    let mut bench = bench(fake(USERS)).await;
    bench.graph.users().await.unwrap();
    bench.fake.people(|people| people.remove(3));
    bench.fake.let_happen(Mishap { times: Some(4), ..Mishap::new(GraphFault::Cut) });
    assert!(bench.graph.users().await.is_err());
    let read_anew = bench.fake.happened(GraphFault::Cut);
    let users = bench.graph.users().await.unwrap();
    assert_eq!((users.len(), read_anew), (USERS - 1, 4));
    assert!(!holds(&users, "user3@domain.company"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_ends_under_way_is_renewed_once() {
    let mut bench = bench(fake(USERS)).await;
    bench.fake.let_happen(Mishap { page: Some(5), ..Mishap::new(GraphFault::ExpiredToken) });
    assert_eq!(bench.graph.users().await.unwrap().len(), USERS);
    assert_eq!(bench.fake.tokens_issued(), 2);

    let mut bench = self::bench(fake(USERS)).await;
    bench.fake.let_happen(Mishap { page: Some(5), times: Some(9), ..Mishap::new(GraphFault::ExpiredToken) });
    assert_eq!(bench.graph.users().await.unwrap_err(), GraphError::Unauthorized);
    assert_eq!(bench.fake.tokens_issued(), 2);
}

/// The clock of the next test, in seconds.
static CLOCK: AtomicI64 = AtomicI64::new(1_800_000_000);

fn clock() -> Timestamp {
    Timestamp::from_second(CLOCK.load(Ordering::Relaxed)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_renewed_before_it_ends() {
    let fake = fake_with(0, |fake| fake.now = clock);
    let mut bench = bench_of(fake, Credential::secret("lab").unwrap(), patience(), clock).await;
    bench.graph.domains().await.unwrap();
    CLOCK.fetch_add(3200, Ordering::Relaxed);
    bench.graph.domains().await.unwrap();
    assert_eq!(bench.fake.tokens_issued(), 1);
    CLOCK.fetch_add(200, Ordering::Relaxed);
    bench.graph.domains().await.unwrap();
    assert_eq!(bench.fake.tokens_issued(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_is_told_without_being_shown() {
    let bench = bench(fake(1)).await;
    let wrong = Credential::secret("s3cret-of-another").unwrap();
    let mut graph = graph(bench.address, &bench.root, wrong, patience(), Timestamp::now);
    let error = graph.users().await.unwrap_err();
    assert_eq!(error.to_string(), "expected a token, got 401 AADSTS7000215");
    assert!(error.hint().unwrap().contains("`secret_file`"));
    assert!(!format!("{graph:?} {error:?}").contains("s3cret"));

    let mut bench = self::bench(fake(1)).await;
    bench.fake.let_happen(Mishap::new(GraphFault::UnknownApplication));
    let error = bench.graph.domains().await.unwrap_err();
    assert!(error.hint().unwrap().contains("`client_id`"), "{error}");
    let mut bench = self::bench(fake_with(1, |fake| fake.application.tenant = Some("other".to_owned()))).await;
    assert!(bench.graph.domains().await.unwrap_err().hint().unwrap().contains("`tenant`"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_proves_an_application() {
    let made = |name: &str| {
        let key = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
        let certificate = rcgen::CertificateParams::new([name.to_owned()]).unwrap().self_signed(&key).unwrap();
        let der = certificate.der().to_vec();
        (Credential::certificate(certificate.pem().as_bytes(), key.serialize_pem().as_bytes()).unwrap(), der)
    };
    let ((credential, der), (other, _)) = (made("samlgate"), made("other"));
    let mut bench =
        bench_of(fake_with(3, |fake| fake.application.certificate = Some(der)), credential, patience(), Timestamp::now)
            .await;
    assert_eq!(bench.graph.users().await.unwrap().len(), 3);
    let mut graph = graph(bench.address, &bench.root, other, patience(), Timestamp::now);
    let error = graph.users().await.unwrap_err();
    assert_eq!(error.to_string(), "expected a token, got 401 AADSTS700027");
    assert!(!format!("{graph:?}").contains("PRIVATE"));
    // Entra takes RSA alone
    let made = rcgen::generate_simple_self_signed(["p256".to_owned()]).unwrap();
    let refused = Credential::certificate(made.cert.pem().as_bytes(), made.signing_key.serialize_pem().as_bytes());
    assert!(refused.unwrap_err().to_string().starts_with("expected an RSA key"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_permission_is_named() {
    let without = |permission: &str| fake_with(1, |fake| fake.permissions.retain(|granted| granted != permission));
    let mut bench = bench(without("User.Read.All")).await;
    let error = bench.graph.users().await.unwrap_err();
    assert_eq!(error, GraphError::Forbidden { subject: Subject::Users });
    assert!(error.to_string().contains("lacks the permission User.Read.All"), "{error}");
    assert!(error.hint().unwrap().contains("admin consent"));
    let mut bench = self::bench(without("Domain.Read.All")).await;
    assert!(bench.graph.domains().await.unwrap_err().to_string().contains("Domain.Read.All"));
    let error = bench.graph.federation("domain.company").await.unwrap_err();
    assert!(error.to_string().contains("Domain-InternalFederation.Read.All"), "{error}");
    let mut bench = self::bench(without("Policy.Read.All")).await;
    assert!(bench.graph.policy().await.unwrap_err().to_string().contains("Policy.Read.All"));
    // taken away while pages are read
    let mut bench = self::bench(fake(USERS)).await;
    bench.fake.let_happen(Mishap { page: Some(9), ..Mishap::new(GraphFault::Forbidden) });
    assert_eq!(bench.graph.users().await.unwrap_err(), GraphError::Forbidden { subject: Subject::Users });
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_goes_to_no_other_host() {
    let mut bench = bench(fake(USERS)).await;
    bench.fake.let_happen(Mishap { page: Some(2), ..Mishap::new(GraphFault::ForeignLink) });
    let error = bench.graph.users().await.unwrap_err();
    let GraphError::ForeignLink { expected, got } = &error else { unreachable!("{error}") };
    assert_eq!((expected, got.as_str()), (&format!("localhost:{}", bench.address.port()), "graph.microsoft.company"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_page_of_graph_is_refused() {
    let mut bench = bench(fake(USERS)).await;
    bench.fake.let_happen(Mishap { page: Some(4), ..Mishap::new(GraphFault::Garbage) });
    let error = bench.graph.users().await.unwrap_err();
    assert!(matches!(error, GraphError::Garbage { subject: Subject::Users, .. }), "{error}");
    let mut bench = self::bench(fake(USERS)).await;
    bench.fake.let_happen(Mishap { page: Some(4), ..Mishap::new(GraphFault::Circle) });
    assert_eq!(bench.graph.users().await.unwrap_err(), GraphError::Circle);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_nobody_vouches_for_gets_nothing() {
    let bench = bench(fake(1)).await;
    let (judge, _) = crate::mint::tenant();
    let other = judge.federations[0].keys[0].key.certificate().der.clone();
    let mut graph = graph(bench.address, &other, Credential::secret("lab").unwrap(), patience(), Timestamp::now);
    let error = graph.users().await.unwrap_err();
    assert!(matches!(error, GraphError::Failure(Failure::Tls(_))), "{error}");
    assert_eq!(bench.fake.tokens_issued(), 0);
}

/// A folder with a configuration that knows its federation by Graph alone.
fn configured(bench: &Bench, more: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["login.microsoftonline.com".to_owned()]).unwrap();
    let root = format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &bench.root)
    );
    let here = format!("https://localhost:{}", bench.address.port());
    let text = format!(
        "environment = \"test\"\n[listen]\nreverse = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n\
         [upstream]\nurl = \"http://127.0.0.1:9\"\n[tls]\ncertificate = \"proxy.pem\"\nkey = \"proxy.key\"\n\
         [graph]\ntenant = \"domain.company\"\nclient_id = \"lab\"\nsecret_file = \"secret\"\nca = \"root.pem\"\n\
         refresh = \"1s\"\nlogin = \"{here}\"\nendpoint = \"{here}\"\n[[federation]]\ndomain = \"domain.company\"\n{more}"
    );
    let files = [
        ("proxy.pem", made.cert.pem()),
        ("proxy.key", made.signing_key.serialize_pem()),
        ("root.pem", root),
        ("secret", "lab\n".to_owned()),
        ("samlgate.toml", text),
    ];
    files.into_iter().for_each(|(name, text)| std::fs::write(folder.path().join(name), text).unwrap());
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_takes_from_graph_what_entra_expects() {
    let bench = bench(fake_with(30, |fake| fake.validating = Some("none".to_owned()))).await;
    let folder = configured(&bench, "");
    let path = folder.path().join("samlgate.toml");
    let published = Published::of(&path, Bounds::default()).await;
    let config = Config::load_with(&path, published.documents()).unwrap();
    let (judge, _) = crate::mint::tenant();
    let (federation, expected) = (&config.judge.federations[0], &judge.federations[0]);
    assert_eq!((&federation.issuer, federation.keys.len()), (&expected.issuer, 2));
    assert_eq!(federation.keys[0].key.thumbprint(), expected.keys[0].key.thumbprint());
    assert_eq!(federation.domain_policy, DomainPolicy::None);
    assert_eq!(federation.root_domain.as_deref(), Some("domain.company"));
    assert_eq!(federation.users.as_ref().unwrap().len(), 30);

    // a permission that is lacking costs no more than what it is for
    let without = ["User.Read.All", "Policy.Read.All"];
    let lacking =
        self::bench(fake_with(30, |fake| fake.permissions.retain(|granted| !without.contains(&granted.as_str()))))
            .await;
    let folder_of_it = configured(&lacking, "");
    let path_of_it = folder_of_it.path().join("samlgate.toml");
    let published = Published::of(&path_of_it, Bounds::default()).await;
    let config = Config::load_with(&path_of_it, published.documents()).unwrap();
    assert!(config.judge.federations[0].users.is_none());
    let told = |permission: &str| config.notes.iter().any(|note| note.contains(permission));
    assert!(without.into_iter().all(told), "{:?}", config.notes);

    // where nobody asks, and where Graph refuses, it is told what is lacking
    let error = Config::load(&path).unwrap_err().to_string();
    assert!(error.contains("only `serve` and `doctor` do"), "{error}");
    bench.fake.let_happen(Mishap::new(GraphFault::WrongSecret));
    let published = Published::of(&path, Bounds::default()).await;
    let error = Config::load_with(&path, published.documents()).unwrap_err().to_string();
    assert!(error.contains("AADSTS7000215") && error.contains("`secret_file`"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_proxy_follows_what_changes_in_graph() {
    let bench = bench(fake(30)).await;
    let folder = configured(&bench, "");
    let path = folder.path().join("samlgate.toml");
    let published = Published::without_users(&path, Bounds::default()).await;
    let config = Config::load_with(&path, published.documents()).unwrap();
    let mut running = samlgate::app::start(config).await.unwrap();
    let pace = Pace { every: Duration::from_secs(1), retry: Duration::from_secs(1) };
    running.follow_published(path, Duration::from_secs(3600), published, pace, Bounds::default());
    let until = async |line: &str| {
        let there = async {
            while !running.metrics().render().unwrap().lines().any(|known| known == line) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), there).await.unwrap();
    };
    until("samlgate_directory_users{federation=\"domain.company\"} 30").await;
    bench.fake.people(|people| people.remove(3));
    until("samlgate_directory_users{federation=\"domain.company\"} 29").await;
    // the permission is taken away: what was told last stays, and it is told
    bench.fake.let_happen(Mishap { times: Some(1), ..Mishap::new(GraphFault::Forbidden) });
    until("samlgate_source_refresh_failures_total{federation=\"domain.company\",source=\"settings\"} 1").await;
    bench.fake.people(|people| people.remove(4));
    until("samlgate_directory_users{federation=\"domain.company\"} 28").await;
    // asked again, and nothing has changed: the users are as young as that answer, and nothing is put in force
    let values = || {
        let text = running.metrics().render().unwrap();
        let of =
            |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok()).unwrap();
        let age = of("samlgate_source_age_seconds{federation=\"domain.company\",source=\"users\"}");
        (age, of("samlgate_config_reloads_total{result=\"ok\"}"))
    };
    let again = async {
        let mut before = values();
        loop {
            tokio::time::sleep(Duration::from_millis(5)).await;
            let now = values();
            if now.0 < before.0 && now.1 == before.1 {
                return;
            }
            before = now;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), again).await.unwrap();
    running.stop(Duration::from_secs(1)).await;
}

/// A file that is broken says nothing of what is wanted; one that is read and has no `[graph]` wants none.
#[tokio::test(flavor = "multi_thread")]
async fn graph_is_asked_no_more_where_the_configuration_names_it_no_more() {
    let bench = bench(fake(30)).await;
    let folder = configured(&bench, "");
    let path = folder.path().join("samlgate.toml");
    let published = Published::without_users(&path, Bounds::default()).await;
    let config = Config::load_with(&path, published.documents()).unwrap();
    let mut running = samlgate::app::start(config).await.unwrap();
    let pace = Pace { every: Duration::from_secs(1), retry: Duration::from_secs(1) };
    running.follow_published(path.clone(), Duration::from_millis(10), published, pace, Bounds::default());
    let until = async |what: &str, is_there: bool| {
        let there = async {
            while running.metrics().render().unwrap().lines().any(|line| line.starts_with(what)) != is_there {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        assert!(tokio::time::timeout(Duration::from_secs(30), there).await.is_ok(), "{what}");
    };
    let users = "samlgate_directory_users{federation=\"domain.company\"}";
    until(&format!("{users} 30"), true).await;
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once("[graph]").unwrap();
    std::fs::write(&path, "[graph").unwrap();
    until("samlgate_config_last_reload_successful 0", true).await;
    bench.fake.people(|people| people.remove(3));
    std::fs::write(&path, &text).unwrap();
    until(&format!("{users} 29"), true).await;

    let federation = rest.split_once("[[federation]]").unwrap().1;
    let without = format!("{before}[[federation]]{federation}issuer = \"a\"\ncertificates = [\"proxy.pem\"]\n");
    std::fs::write(&path, without).unwrap();
    until(users, false).await;
    for source in ["settings", "users"] {
        let age = format!("samlgate_source_age_seconds{{federation=\"domain.company\",source=\"{source}\"}}");
        until(&age, false).await;
    }
    // whoever still asked would do so within a second
    bench.fake.let_happen(Mishap::new(GraphFault::Forbidden));
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(bench.fake.happened(GraphFault::Forbidden), 0);
    running.stop(Duration::from_secs(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_secret_is_used_without_a_restart() {
    let bench = bench(fake(30)).await;
    let folder = configured(&bench, "");
    let path = folder.path().join("samlgate.toml");
    let secret = folder.path().join("secret");
    // at the start it is the wrong one, and what is written beside counts
    std::fs::write(&secret, "old").unwrap();
    let text = std::fs::read_to_string(&path).unwrap() + "issuer = \"a\"\ncertificates = [\"proxy.pem\"]\n";
    std::fs::write(&path, text).unwrap();
    let published = Published::without_users(&path, Bounds::default()).await;
    let config = Config::load_with(&path, published.documents()).unwrap();
    assert_eq!(config.judge.federations[0].issuer.as_deref(), Some("a"));
    let mut running = samlgate::app::start(config).await.unwrap();
    let pace = Pace { every: Duration::from_secs(3600), retry: Duration::from_secs(3600) };
    running.follow_published(path, Duration::from_millis(10), published, pace, Bounds::default());
    std::fs::write(&secret, "lab").unwrap();
    let line = "samlgate_directory_users{federation=\"domain.company\"} 30";
    let there = async {
        while !running.metrics().render().unwrap().lines().any(|known| known == line) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), there).await.unwrap();
    running.stop(Duration::from_secs(1)).await;
}
