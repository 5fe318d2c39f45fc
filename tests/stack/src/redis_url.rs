//! A Redis URL with its address replaced, so that each container can reach Redis through a proxy of its own.

/// `redis://user:password@host:port/db` in three parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RedisUrl<'a> {
    before: &'a str,
    /// `host:port`.
    pub(crate) address: String,
    after: &'a str,
}

impl<'a> RedisUrl<'a> {
    /// Takes a URL apart. None for what a proxy cannot stand in front of: with TLS the certificate names the server,
    /// and a cluster tells its clients the addresses of its nodes.
    pub(crate) fn parse(url: &'a str) -> Option<Self> {
        let rest = url.strip_prefix("redis://")?;
        let authority_end = rest.find(['/', '?']).unwrap_or(rest.len());
        let host_start = rest[..authority_end].rfind('@').map_or(0, |at| at + 1);
        let host = &rest[host_start..authority_end];
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let address = if has_port { host.to_owned() } else { format!("{host}:6379") };
        let before = &url[.."redis://".len() + host_start];
        Some(Self { before, address, after: &rest[authority_end..] })
    }

    /// The same URL at another address.
    pub(crate) fn at(&self, address: &str) -> String {
        format!("{}{address}{}", self.before, self.after)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_the_address_changes() {
        for (url, address, moved) in [
            ("redis://h:1", "h:1", "redis://p:2"),
            ("redis://h", "h:6379", "redis://p:2"),
            ("redis://u:a@b@h:1/2?x=y", "h:1", "redis://u:a@b@p:2/2?x=y"),
            ("redis://[::1]:7/1", "[::1]:7", "redis://p:2/1"),
            ("redis://[::1]", "[::1]:6379", "redis://p:2"),
        ] {
            let parsed = RedisUrl::parse(url).unwrap();
            assert_eq!((parsed.address.as_str(), parsed.at("p:2").as_str()), (address, moved));
        }
        assert_eq!(RedisUrl::parse("rediss://h:1"), None);
        assert_eq!(RedisUrl::parse("redis+cluster://h:1"), None);
    }
}
