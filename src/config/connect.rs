//! The explicit proxy as it is written: where it listens, who may use it, what it tunnels to.

use std::net::{IpAddr, SocketAddr};

use super::file::{InterceptTable, ListenTable, Located};
use super::problem::Problems;
use super::resolve::{Folder, address};
use crate::proxy::{Tunnelled, Users};

/// What is written of the explicit proxy.
pub(super) struct Explicit {
    pub(super) address: Option<SocketAddr>,
    pub(super) users: Option<Users>,
    pub(super) tunnels: Vec<Tunnelled>,
}

/// Resolves all of it; `hosts` are intercepted.
pub(super) fn resolve(
    listen: &ListenTable,
    intercept: &InterceptTable,
    hosts: &[String],
    folder: &Folder,
    problems: &mut Problems<'_>,
    notes: &mut Vec<String>,
) -> Explicit {
    let written = listen.connect.as_ref();
    let bound = written.and_then(|connect| address("listen.connect", connect, problems));
    let users = listen.connect_users.as_ref().and_then(|file| {
        let bytes = folder.read(file, problems)?;
        let users = std::str::from_utf8(&bytes).map_err(|_| "expected UTF-8, got something else".to_owned());
        users
            .and_then(|text| Users::parse(text).map_err(|error| error.to_string()))
            .map_err(|cause| {
                let hint = "a line is made by: printf 'tester:%s\\n' \"$(printf %s 'tester:PASSWORD' | sha256sum | cut -c-64)\"";
                problems.push(Some(file.at.clone()), format!("`listen.connect_users`: {cause}"), Some(hint.to_owned()));
            })
            .ok()
    });
    let far = bound.zip(written).filter(|(bound, _)| !is_loopback(bound.ip()) && listen.connect_users.is_none());
    if let Some((bound, written)) = far {
        let hint = "set `listen.connect_users` to a file of those who may use it, or listen on 127.0.0.1";
        let cause = format!(
            "`listen.connect`: {bound} can be reached by others, and a proxy for everybody is nothing to offer"
        );
        problems.push(Some(written.at.clone()), cause, Some(hint.to_owned()));
    }
    if let (Some(unused), None) = (&listen.connect_users, written) {
        problems.push(Some(unused.at.clone()), "`listen.connect_users` needs `listen.connect`", None);
    }
    if intercept.tunnel.is_some() && written.is_none() {
        notes.push("`intercept.tunnel` is for the explicit proxy, and `listen.connect` is not set".to_owned());
    }
    let tunnels = intercept.tunnel.as_ref().map_or_else(Vec::new, |tunnel| tunnels(tunnel, hosts, problems));
    Explicit { address: bound, users, tunnels }
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

fn tunnels(written: &Located<Vec<String>>, hosts: &[String], problems: &mut Problems<'_>) -> Vec<Tunnelled> {
    let mut tunnels: Vec<Tunnelled> = Vec::new();
    for entry in &written.value {
        let mut problem = |cause: String, hint: Option<&str>| {
            problems.push(Some(written.at.clone()), format!("`intercept.tunnel`: {cause}"), hint.map(str::to_owned));
        };
        let Some(tunnel) = Tunnelled::parse(entry) else {
            let cause = format!("expected a host and a port such as \"authentik.company:443\", got \"{entry}\"");
            let hint = "an address to connect to, whatever the name resolves to, goes behind it: \"authentik.company:443=127.0.0.1:9443\"";
            problem(cause, Some(hint));
            continue;
        };
        let (host, port) = tunnel.place();
        if port == 443 && hosts.iter().any(|known| known.eq_ignore_ascii_case(host)) {
            problem(format!("{host} is intercepted, and cannot be tunnelled to as well"), None);
        } else if tunnels.iter().any(|known| known.authority() == tunnel.authority()) {
            problem(format!("{} is there twice", tunnel.authority()), None);
        } else {
            tunnels.push(tunnel);
        }
    }
    tunnels
}
