//! Another configuration while the proxy runs: no request is lost, and a broken file changes nothing.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use hyper::StatusCode;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use super::bench::{Bench, Client, HOST_NAME, Speak, full, posted, tls_to};
use super::{metric, post};

/// Nobody looks at the files: only what is asked for happens.
const NEVER: Duration = Duration::from_secs(3600);
/// As good as at once.
const OFTEN: Duration = Duration::from_millis(5);
const ISSUER: &str = "https://authentik.company/application/saml/m365/metadata/";

fn fixtures() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// A configuration with one federation.
fn write(folder: &Path, ends: &str, settings: &str, domain: &str, issuer: &str) {
    let text = format!(
        "environment = \"test\"\n{settings}\n{ends}\n[[federation]]\ndomain = \"{domain}\"\nissuer = \"{issuer}\"\n\
         certificates = [{current:?}]\nusers = \"users.csv\"\n",
        current = fixtures().join("certificates/current.cer"),
    );
    fs::write(folder.join("samlgate.toml"), text).unwrap();
}

async fn following(every: Duration) -> (Bench, String) {
    let mut known = String::new();
    let bench = Bench::following(every, |folder, ends| {
        fs::copy(fixtures().join("tenants/users.csv"), folder.join("users.csv")).unwrap();
        write(folder, ends, "", "domain.company", ISSUER);
        ends.clone_into(&mut known);
    });
    (bench.await, known)
}

/// Puts a file in the place of another in one go.
fn replace(path: &Path, bytes: impl AsRef<[u8]>) {
    let new = path.with_extension("new");
    fs::write(&new, bytes).unwrap();
    fs::rename(new, path).unwrap();
}

/// The sum of the series whose lines begin so.
fn sum(metrics: &str, family: &str) -> usize {
    let values = metrics.lines().filter(|line| line.starts_with(family));
    values.map(|line| line.rsplit(' ').next().unwrap().parse::<usize>().unwrap()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn under_load_no_request_is_lost_while_federations_and_certificates_change() {
    const RELOADS: usize = 20;
    let (bench, ends) = following(NEVER).await;
    let made = || rcgen::generate_simple_self_signed([HOST_NAME.to_owned()]).unwrap();
    let certificates = [made(), made()].map(|made| (made.cert.pem(), made.signing_key.serialize_pem()));
    let first = CertificateDer::from_pem_file(bench.folder().join("proxy.pem")).unwrap();
    let roots = certificates.iter().map(|(pem, _)| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap());
    let roots: Arc<Vec<_>> = Arc::new(roots.chain([first]).collect());

    let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let body = posted("producer_authentik_from_2026_2");
    let mut clients = tokio::task::JoinSet::new();
    for (number, speak) in [Speak::Http1, Speak::Http2, Speak::Http1, Speak::Http2].into_iter().enumerate() {
        let (stop, sent, body, roots) = (Arc::clone(&stop), Arc::clone(&sent), body.clone(), Arc::clone(&roots));
        let address = bench.reverse();
        clients.spawn(async move {
            let connect = || async { Client::over(tls_to(address, speak, &roots).await.unwrap(), speak).await };
            let mut client = connect().await;
            while !stop.load(Ordering::Acquire) {
                let answer = client.send(post("/login.srf"), full(&body)).await;
                assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, "from the upstream"));
                sent.fetch_add(1, Ordering::AcqRel);
                // half of them take a new connection for each request, the others keep theirs
                if number < 2 {
                    client = connect().await;
                }
            }
        });
    }

    for reload in 1..=RELOADS {
        let (pem, key) = &certificates[reload % 2];
        fs::write(bench.folder().join("proxy.pem"), pem).unwrap();
        fs::write(bench.folder().join("proxy.key"), key).unwrap();
        match reload % 2 {
            0 => write(bench.folder(), &ends, "", "domain.company", ISSUER),
            _ => write(bench.folder(), &ends, "", "other.company", "https://other.company/"),
        }
        bench.reload();
        bench.until(&format!("samlgate_config_reloads_total{{result=\"ok\"}} {reload}")).await;
        // under each configuration something is posted
        let before = sent.load(Ordering::Acquire);
        while sent.load(Ordering::Acquire) < before + 8 && !clients.is_empty() {
            tokio::task::yield_now().await;
            assert!(clients.try_join_next().is_none(), "a client ended early");
        }
    }
    stop.store(true, Ordering::Release);
    while let Some(ended) = clients.join_next().await {
        ended.unwrap();
    }

    let sent = sent.load(Ordering::Acquire);
    assert_eq!(bench.seen().len(), sent);
    assert!(bench.seen().iter().all(|seen| seen.body == body.as_bytes()));
    bench.until(&format!("samlgate_messages_total{{kind=\"saml_response\"}} {sent}")).await;
    let metrics = bench.metrics();
    assert_eq!(
        sum(&metrics, "samlgate_requests_total{listener=\"reverse\",route=\"inspect\",status_class=\"2xx\"}"),
        sent
    );
    assert_eq!(sum(&metrics, "samlgate_responses_total{"), sent);
    // the one federation accepts them, to the other they are of an unknown issuer
    let accepted = sum(&metrics, "samlgate_responses_total{federation=\"domain.company\",verdict=\"accepted\"}");
    let rejected = sum(&metrics, "samlgate_responses_total{federation=\"unknown\",verdict=\"rejected\"}");
    assert!(accepted > 0 && rejected > 0 && accepted + rejected == sent, "{accepted} + {rejected} = {sent}");
    assert!(metric(&bench, "samlgate_config_reloads_total{result=\"failed\"} 0"));
    assert!(metric(&bench, "samlgate_panics_total 0"));
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_file_keeps_the_old_configuration_until_it_is_mended() {
    let (bench, ends) = following(NEVER).await;
    let users = bench.folder().join("users.csv");
    assert!(metric(&bench, "samlgate_directory_users{federation=\"domain.company\"} 12"), "{}", bench.metrics());
    let whole = fs::read(&users).unwrap();
    fs::remove_file(&users).unwrap();
    bench.reload();
    bench.until("samlgate_config_reloads_total{result=\"failed\"} 1").await;
    bench.until("samlgate_source_refresh_failures_total{federation=\"domain.company\",source=\"users\"} 1").await;
    assert!(metric(&bench, "samlgate_config_last_reload_successful 0"), "{}", bench.metrics());
    assert!(metric(&bench, "samlgate_directory_users{federation=\"domain.company\"} 12"));

    assert!(bench.admin("/").await.body.contains("the last good one is in force"));

    // a broken configuration, and one that cannot be served, on top of it
    fs::write(bench.folder().join("samlgate.toml"), "environment = ").unwrap();
    bench.reload();
    bench.until("samlgate_config_reloads_total{result=\"failed\"} 2").await;
    write(bench.folder(), &ends, "[graph]\ntenant = \"domain.company\"\n", "domain.company", ISSUER);
    fs::write(&users, &whole).unwrap();
    bench.reload();
    bench.until("samlgate_config_reloads_total{result=\"failed\"} 3").await;
    assert!(metric(&bench, "samlgate_source_failures_in_a_row{federation=\"domain.company\",source=\"users\"} 3"));
    let answer = bench.client(Speak::Http2).await.send(post("/login.srf"), full(&posted("sound_and_strict"))).await;
    assert_eq!(answer.status, StatusCode::OK);
    bench.until("samlgate_checks_total{check=\"immutable_id\",federation=\"domain.company\",outcome=\"pass\"} 1").await;
    bench.until("samlgate_idp_clock_offset_seconds{federation=\"domain.company\"} 0").await;
    assert!(metric(&bench, "samlgate_config_reloads_total{result=\"ok\"} 0"));

    // mended, with a limit of its own, a mode and another federation
    write(bench.folder(), &ends, "mode = \"enforce\"\n[limits]\nbody_bytes = 64\n", "other.company", ISSUER);
    bench.reload();
    bench.until("samlgate_config_reloads_total{result=\"ok\"} 1").await;
    assert!(metric(&bench, "samlgate_checks_total{check=\"replay\",federation=\"other.company\",outcome=\"warn\"} 0"));
    assert!(metric(&bench, "samlgate_directory_users{federation=\"other.company\"} 12"));
    assert!(metric(&bench, "samlgate_config_last_reload_successful 1"), "{}", bench.metrics());
    assert!(metric(&bench, "samlgate_source_failures_in_a_row{federation=\"other.company\",source=\"users\"} 0"));
    assert!(!bench.metrics().contains("failures_in_a_row{federation=\"domain.company\""));
    assert!(!bench.admin("/").await.body.contains("the last good one is in force"));
    assert!(!bench.metrics().contains("samlgate_directory_users{federation=\"domain.company\"}"));
    assert!(!bench.metrics().contains("not_after_timestamp_seconds{federation=\"domain.company\""));
    let answer = bench.client(Speak::Http1).await.send(post("/login.srf"), full(&posted("sound_and_strict"))).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_file_of_users_stays_old_whenever_it_is_read() {
    let (bench, _) = following(NEVER).await;
    let users = fs::File::options().write(true).open(bench.folder().join("users.csv")).unwrap();
    users.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)).unwrap();
    for reloads in 1..3 {
        bench.reload();
        bench.until(&format!("samlgate_config_reloads_total{{result=\"ok\"}} {reloads}")).await;
        let series = "samlgate_source_age_seconds{federation=\"domain.company\",source=\"users\"} ";
        let metrics = bench.metrics();
        let age: f64 = metrics.lines().find_map(|line| line.strip_prefix(series)).unwrap().parse().unwrap();
        assert!(age > 7.0 * 86_400.0, "{age}");
    }
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replaced_certificate_files_are_shown_to_new_connections_and_old_ones_go_on() {
    let (bench, _) = following(OFTEN).await;
    let mut before = bench.client(Speak::Http2).await;
    assert_eq!(before.send(post("/a"), full("x")).await.status, StatusCode::OK);

    let old = CertificateDer::from_pem_file(bench.folder().join("proxy.pem")).unwrap();
    let made = rcgen::generate_simple_self_signed([HOST_NAME.to_owned()]).unwrap();
    // one after the other, as they are replaced in life: in between they do not fit each other
    replace(&bench.folder().join("proxy.pem"), made.cert.pem());
    bench.until("samlgate_config_reloads_total{result=\"failed\"} 1").await;
    assert!(tls_to(bench.reverse(), Speak::Http1, &[old]).await.is_ok());
    replace(&bench.folder().join("proxy.key"), made.signing_key.serialize_pem());
    bench.until("samlgate_config_reloads_total{result=\"ok\"} 1").await;

    assert_eq!(bench.client(Speak::Http1).await.send(post("/a"), full("x")).await.status, StatusCode::OK);
    assert_eq!(before.send(post("/a"), full("x")).await.status, StatusCode::OK);
    bench.stop().await;
}
