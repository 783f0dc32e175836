//! The stage of the demonstration: everything that runs, and one sign-in through all of it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

use super::super::listeners::bind;
use super::super::memory::CountedMemory;
use super::super::{AppError, GRACE, Judging, Running, start_all};
use super::cases::{Case, Way};
use super::tenant::Tenant;
use super::{Addresses, Demo, DemoError, PATIENCE, SignedIn, Visit};
use crate::check::{Memory, Policy};
use crate::config::{Config, Listen, Log};
use crate::inspect::{Effort, Judge};
use crate::lab::{self, Browser, End, Entra, Fetched, Form, Idp, Unasked};
use crate::limits::Limits;
use crate::observe::Source;
use crate::proxy::{Authority, Inspector, Intercept, Mode, ServerCertificate, Tunnelled, Upstream};
use crate::verdict::{CheckId, Outcome, Verdict};

/// The name that the proxy stands in for.
const HOST: &str = "login.microsoftonline.com";
/// The name by which a browser of this machine finds the proxy, without a change to its hosts file.
const HERE: &str = "localhost";
/// The name of the identity provider, which nobody resolves: the explicit proxy knows where it is.
const IDP: &str = "authentik.company";
/// A free port of this machine.
const ANYWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// Between two looks at the metrics.
const LOOK: Duration = Duration::from_millis(1);

/// Everything that runs.
pub(super) struct Stage {
    running: Running,
    /// What the judge says, as it says it.
    pub(super) verdicts: mpsc::Receiver<Verdict>,
    browser: Browser,
    idps: [SocketAddr; 2],
    /// What the first sign-in posted.
    first: Option<Form>,
    /// What a browser of this machine is told; then Entra sends it to the identity provider through the proxy as well.
    visit: Option<Visit>,
    /// The fake ends serve until this is dropped.
    _ends: watch::Sender<bool>,
}

impl Stage {
    pub(super) async fn set(demo: Demo) -> Result<Self, DemoError> {
        let now = Timestamp::now();
        let tenant = tokio::task::spawn_blocking(move || Tenant::new(now)).await.map_err(|_| DemoError::Thread)??;
        let hosts = vec![HOST.to_owned(), HERE.to_owned()];
        let (ours, theirs) = (authority(&hosts, now)?, authority(&[HOST.to_owned()], now)?);
        let (trusted, upstream_trusted) = (ours.certificate().to_vec(), theirs.certificate().to_vec());
        let certificate = ServerCertificate::minted(ours, hosts.clone(), Timestamp::now)?;
        let idp_hosts = vec![IDP.to_owned()];
        let idp_certificate = ServerCertificate::minted(authority(&idp_hosts, now)?, idp_hosts, Timestamp::now)?;
        let pins = [&certificate, &idp_certificate].iter().filter_map(|shown| shown.pin().map(str::to_owned)).collect();
        let visit = demo.browser.then(|| Visit { url: format!("https://{HOST}/common/oauth2/v2.0/authorize"), pins });
        let their_certificate = ServerCertificate::minted(theirs, vec![HOST.to_owned()], Timestamp::now)?;

        let (ends, stops) = watch::channel(false);
        let (idp_listener, idp) = free().await?;
        let (other_listener, other) = free().await?;
        let (entra_listener, entra) = free().await?;
        let (named_listener, named) = free().await?;
        let sign_in = if demo.browser { format!("https://{IDP}/sso") } else { format!("http://{idp}/sso") };
        let end = Entra { federations: tenant.federations.clone(), sign_in, now: Timestamp::now };
        serve(entra_listener, Some(&their_certificate), end, &stops);

        let judge = Judge { federations: tenant.federations, policy: Policy::default(), limits: Limits::default() };
        let config = Config {
            judge: judge.clone(),
            environment: Some("demo".to_owned()),
            mode: Mode::Observe,
            pass_unjudged: true,
            listen: Listen { reverse: Some(demo.reverse), tls: true, connect: Some(ANYWHERE), admin: demo.admin },
            intercept: Intercept::new(hosts, vec!["/login.srf".to_owned()]),
            tunnels: Tunnelled::parse(&format!("{IDP}:443={named}")).into_iter().collect(),
            users: None,
            certificate: Some(certificate),
            upstream: Upstream {
                tls: true,
                host: HOST.to_owned(),
                port: 443,
                http2: true,
                address: Some(entra),
                dns: None,
                extra_roots: vec![upstream_trusted],
            },
            capture: None,
            replay: None,
            log: Log::default(),
            graph: None,
            notes: Vec::new(),
            evidence: Vec::new(),
            sources: vec![Source::File; judge.federations.len()],
            files: Vec::new(),
        };
        // as many as may wait for a terminal; whoever floods the proxy loses lines here, and nothing else
        let (sender, verdicts) = mpsc::channel(64);
        let judging = |memory| -> Judging {
            let inspector = listened_to(judge, memory, sender);
            Box::new(move |_| Arc::clone(&inspector))
        };
        let running = start_all(config, judging, Timestamp::now).await?;

        let reverse = running.addresses().reverse.ok_or(DemoError::NoListener)?;
        let idp_at = |minter, post_to: &str| {
            let post_to = post_to.to_owned();
            Idp { minter, post_to, users: Vec::new(), unasked: Unasked::Ask, now: Timestamp::now }
        };
        let through = idp_at(tenant.minter.clone(), &format!("https://{HOST}/login.srf"));
        serve(named_listener, Some(&idp_certificate), through, &stops);
        let post_to = format!("https://{HERE}:{}/login.srf", reverse.port());
        for (listener, minter) in [(idp_listener, tenant.minter), (other_listener, tenant.other)] {
            serve(listener, None, idp_at(minter, &post_to), &stops);
        }
        let browser = Browser::new(&trusted, reverse)?;
        Ok(Self { running, verdicts, browser, idps: [idp, other], first: None, visit, _ends: ends })
    }

    /// Where everything is.
    pub(super) fn addresses(&self) -> Result<Addresses, DemoError> {
        let [idp, _] = self.idps;
        let bound = self.running.addresses();
        let (reverse, connect) = bound.reverse.zip(bound.connect).ok_or(DemoError::NoListener)?;
        Ok(Addresses { reverse, connect, admin: bound.admin, idp, browser: self.visit.clone() })
    }

    /// Lets everything end.
    pub(super) async fn end(self) {
        self.running.stop(GRACE).await;
    }

    /// One sign-in from beginning to end, as a browser does it.
    pub(super) async fn play(&mut self, case: &Case) -> Result<SignedIn, DemoError> {
        let form = match case.way {
            Way::Again => self.first.clone().ok_or(DemoError::NoForm("the first sign-in"))?,
            Way::By(_) | Way::ByTheOther => {
                let asking = self.browser.get(&format!("https://{HOST}/common/oauth2/v2.0/authorize")).await?;
                let mut request = form_of(&asking, "the page of Entra")?;
                let fault = match case.way {
                    Way::By(Some(fault)) => fault.as_str(),
                    _ => "sound",
                };
                let [idp, other] = self.idps;
                if case.way == Way::ByTheOther {
                    request.action = format!("http://{other}/sso");
                } else if self.visit.is_some() {
                    // the same one, without the proxy in between
                    request.action = format!("http://{idp}/sso");
                }
                request.action.push_str(&format!("?fault={fault}"));
                form_of(&self.browser.post(&request).await?, "the page of the identity provider")?
            }
        };
        self.first.get_or_insert_with(|| form.clone());
        let before = self.counted()?;
        self.browser.post(&form).await?;
        let verdict = tokio::time::timeout(PATIENCE, self.verdicts.recv()).await.ok().flatten();
        let verdict = verdict.ok_or(DemoError::NotJudged)?;
        let (predicted, actual) = self.newly_counted(&before).await?;
        Ok(SignedIn {
            name: case.name,
            fault: if let Way::By(fault) = case.way { fault } else { None },
            as_expected: is_expected(case, &verdict),
            came_true: predicted == actual && verdict.predicted.map_or("none", |code| code.digits()) == predicted,
            verdict,
            actual,
        })
    }

    /// `predictions_total` as anybody may read it: predicted and actual, and how often.
    fn counted(&self) -> Result<BTreeMap<(String, String), u64>, DemoError> {
        let text = self.running.metrics().render().map_err(AppError::Metrics)?;
        let series = |line: &str| {
            let (labels, count) = line.strip_prefix("samlgate_predictions_total{")?.split_once("} ")?;
            let label = |name: &str| {
                let value = labels.split(',').find_map(|label| label.strip_prefix(name)?.strip_prefix("=\""));
                Some(value?.trim_end_matches('"').to_owned())
            };
            Some(((label("predicted")?, label("actual")?), count.parse().ok()?))
        };
        Ok(text.lines().filter_map(series).collect())
    }

    /// What was counted since; the proxy reads an answer after the browser has it.
    async fn newly_counted(&self, before: &BTreeMap<(String, String), u64>) -> Result<(String, String), DemoError> {
        let counted = async {
            loop {
                let grown = |(pair, count): &(_, u64)| before.get(pair).copied().unwrap_or_default() < *count;
                if let Some((pair, _)) = self.counted()?.into_iter().find(grown) {
                    return Ok(pair);
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::time::timeout(PATIENCE, counted).await.map_err(|_| DemoError::NotAnswered)?
    }
}

/// The judge of `serve`, whose verdicts somebody listens to. It looks into every broken signature, since here nobody pays.
fn listened_to(judge: Judge, memory: CountedMemory, sender: mpsc::Sender<Verdict>) -> Inspector {
    Arc::new(move |posted, now, effort| {
        let first = effort != Effort::Diagnose;
        let memory = first.then_some(&memory as &dyn Memory);
        let inspection = judge.inspect_with(posted, now, Effort::Diagnose, memory);
        if first && inspection.kind.is_judged() {
            // a full channel, or nobody who listens: the sign-in goes on
            let _ = sender.try_send(inspection.verdict.clone());
        }
        inspection
    })
}

/// Whether the verdict is the one that was written down before: the code, and the checks that do not pass.
fn is_expected(case: &Case, verdict: &Verdict) -> bool {
    let of = |outcome| verdict.with_outcome(outcome).collect::<Vec<CheckId>>();
    let (fails, warns): (&[CheckId], &[CheckId]) =
        if case.code.is_some() { (case.checks, &[]) } else { (&[], case.checks) };
    verdict.predicted == case.code
        && verdict.accepted == case.code.is_none()
        && of(Outcome::Fail) == fails
        && of(Outcome::Warn) == warns
}

fn form_of(page: &Fetched, whose: &'static str) -> Result<Form, DemoError> {
    page.form().filter(|_| page.status.is_success()).ok_or(DemoError::NoForm(whose))
}

fn authority(hosts: &[String], now: Timestamp) -> Result<Authority, DemoError> {
    let created = Authority::create(hosts, now, 1)?;
    Ok(Authority::from_pem(created.certificate.as_bytes(), created.key.as_bytes())?)
}

async fn free() -> Result<(TcpListener, SocketAddr), DemoError> {
    Ok(bind("listen", ANYWHERE).await?)
}

fn serve(listener: TcpListener, tls: Option<&ServerCertificate>, end: impl End, stops: &watch::Receiver<bool>) {
    let stops = stops.clone();
    tokio::spawn(lab::serve(listener, tls.map(ServerCertificate::config), Arc::new(end), stops));
}
