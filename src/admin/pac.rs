//! The proxy auto-configuration: which hosts a browser sends to the explicit proxy. Everything else it fetches itself.

use std::net::{IpAddr, SocketAddr};

use super::Explicit;

/// The file. `here` is the address of this machine that was asked.
pub(super) fn render(explicit: &Explicit, here: IpAddr) -> String {
    let port = explicit.address.port();
    let address = Some(explicit.address.ip()).filter(|address| !address.is_unspecified()).unwrap_or(here);
    let proxy = SocketAddr::new(address, port);
    let targets: serde_json::Map<String, serde_json::Value> =
        (explicit.targets)().into_iter().map(|target| (target, true.into())).collect();
    // JSON is JavaScript, whatever a name holds
    let targets = serde_json::Value::Object(targets);
    format!(
        "// Only these go through samlgate; where it is away, they fail instead of going past it.\n\
         var targets = {targets};\n\
         function FindProxyForURL(url, host) {{\n  \
           var found = /^(?:https|wss):\\/\\/(?:[^\\/?#]*@)?(\\[[^\\]]*\\]|[^\\/:?#]*)(?::([0-9]+))?(?:[\\/?#]|$)/i.exec(url);\n  \
           var target = found ? found[1].toLowerCase() + \":\" + (found[2] || \"443\") : \"\";\n  \
           return Object.prototype.hasOwnProperty.call(targets, target) ? \"PROXY {proxy}\" : \"DIRECT\";\n\
         }}\n"
    )
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn pac(bound: &str, targets: &'static [&str]) -> String {
        let targets = Arc::new(|| targets.iter().map(|target| (*target).to_owned()).collect());
        render(&Explicit { address: bound.parse().unwrap(), targets }, "192.0.2.7".parse().unwrap())
    }

    #[test]
    fn it_names_the_proxy_by_an_address_that_the_browser_reaches() {
        assert!(pac("127.0.0.1:3128", &[]).contains("\"PROXY 127.0.0.1:3128\""));
        assert!(pac("0.0.0.0:3128", &[]).contains("\"PROXY 192.0.2.7:3128\""));
        assert!(pac("[::1]:3128", &[]).contains("\"PROXY [::1]:3128\""));
    }

    #[test]
    fn no_name_is_more_than_text() {
        let hostile = pac("127.0.0.1:1", &["\";alert(1)//:443", "a.company:443"]);
        assert!(hostile.contains(r#"var targets = {"\";alert(1)//:443":true,"a.company:443":true};"#), "{hostile}");
        assert!(
            hostile.contains(r"/^(?:https|wss):\/\/(?:[^\/?#]*@)?(\[[^\]]*\]|[^\/:?#]*)(?::([0-9]+))?(?:[\/?#]|$)/i")
        );
    }
}
