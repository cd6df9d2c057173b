//! Whom a web listener answers. A browser names the host that it believes to talk to, and with a WebSocket the origin
//! of the page that opens it; neither can be changed by that page.

/// Hosts and origins that a listener answers.
#[derive(Clone, Debug)]
pub struct Audience {
    /// Of the listener's own pages.
    scheme: &'static str,
    /// `None`: any, because the certificate says whose name it is.
    hosts: Option<Vec<String>>,
    /// More origins whose pages may open WebSockets.
    origins: Vec<String>,
}

impl Audience {
    /// Behind TLS. Pages of the listener's own origin and of `origins` (`https://host`, with the port if it is not
    /// 443) may open WebSockets.
    #[must_use]
    pub fn secure(origins: Vec<String>) -> Self {
        Self { scheme: "https", hosts: None, origins }
    }

    /// Without TLS on this machine's loopback addresses. No certificate vouches for a name there, and a stranger's
    /// name may be made to lead to these addresses (DNS rebinding), so only their own names are answered.
    #[must_use]
    pub fn loopback(port: u16) -> Self {
        let hosts = ["127.0.0.1", "localhost", "[::1]"].map(|name| match port {
            80 => name.to_owned(),
            port => format!("{name}:{port}"),
        });
        Self { scheme: "http", hosts: Some(hosts.to_vec()), origins: Vec::new() }
    }

    /// Whether a request for this host is meant for the listener.
    #[must_use]
    pub fn knows(&self, host: &str) -> bool {
        self.hosts
            .as_ref()
            .is_none_or(|hosts| hosts.iter().any(|known| known.eq_ignore_ascii_case(self.short(host))))
    }

    /// Whether a page of `origin` may open a WebSocket to this host. No browser leaves the origin out; who does is no
    /// page that could be tricked.
    #[must_use]
    pub fn admits(&self, host: &str, origin: Option<&str>) -> bool {
        let Some(origin) = origin else { return self.knows(host) };
        let is_own = origin
            .strip_prefix(self.scheme)
            .and_then(|rest| rest.strip_prefix("://"))
            .is_some_and(|of| of.eq_ignore_ascii_case(self.short(host)));
        self.knows(host) && (is_own || self.origins.iter().any(|known| known.eq_ignore_ascii_case(origin)))
    }

    /// Where pages of this host open WebSockets: for browsers to which `'self'` does not mean them, too.
    pub(super) fn websocket_source(&self, host: &str) -> String {
        let scheme = if self.scheme == "https" { "wss" } else { "ws" };
        format!("{scheme}://{host}")
    }

    /// As origins have it: without the port that goes without saying.
    fn short<'a>(&self, host: &'a str) -> &'a str {
        let port = if self.scheme == "https" { ":443" } else { ":80" };
        host.strip_suffix(port).unwrap_or(host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn behind_tls_any_host_is_served_to_its_own_pages_and_to_origins_that_are_named() {
        let audience = Audience::secure(vec!["https://chat.example.org".to_owned()]);
        let cases = [
            ("iris.test:8443", Some("https://iris.test:8443"), true),
            ("Iris.Test:8443", Some("https://iris.test:8443"), true),
            ("iris.test:8443", Some("https://chat.example.org"), true),
            ("iris.test:8443", None, true),
            ("iris.test:443", Some("https://iris.test"), true),
            ("iris.test", Some("https://iris.test"), true),
            ("iris.test:8443", Some("http://iris.test:8443"), false),
            ("iris.test:8443", Some("https://iris.test"), false),
            ("iris.test:8443", Some("https://iris.test:8443.evil.example"), false),
            ("iris.test:8443", Some("https://evil.example"), false),
            ("iris.test:8443", Some("https://chat.example.org.evil.example"), false),
            ("iris.test:8443", Some("https://sub.chat.example.org"), false),
            ("iris.test:8443", Some("null"), false),
            ("iris.test:8443", Some(""), false),
        ];
        for (host, origin, expected) in cases {
            assert!(audience.knows(host));
            assert_eq!(audience.admits(host, origin), expected, "{host} {origin:?}");
        }
    }

    #[test]
    fn without_tls_only_loopback_names_are_served_each_to_its_own_pages() {
        let audience = Audience::loopback(7445);
        for host in ["127.0.0.1:7445", "localhost:7445", "LOCALHOST:7445", "[::1]:7445"] {
            assert!(audience.knows(host) && audience.admits(host, None), "{host}");
            assert!(audience.admits(host, Some(&format!("http://{host}"))), "{host}");
            for origin in ["https://127.0.0.1:7445", "http://127.0.0.1", "http://evil.example", "null"] {
                assert!(!audience.admits(host, Some(origin)), "{host} {origin}");
            }
        }
        assert!(!audience.admits("localhost:7445", Some("http://127.0.0.1:7445")));
        for host in ["evil.example:7445", "127.0.0.1", "127.0.0.1:7446", "127.0.0.2:7445", "localhost.:7445"]
        {
            assert!(!audience.knows(host), "{host}");
            assert!(!audience.admits(host, None) && !audience.admits(host, Some(&format!("http://{host}"))));
        }
        assert!(Audience::loopback(80).admits("localhost", Some("http://localhost")));
    }
}
