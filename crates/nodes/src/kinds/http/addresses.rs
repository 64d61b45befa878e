//! Which addresses may be connected to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Addresses that may be connected to although they are not public.
#[derive(Clone, Debug, Default)]
pub struct AllowList {
    networks: Vec<(IpAddr, u8)>,
    hosts: Vec<String>,
    loopback: bool,
}

impl AllowList {
    /// Reads entries such as `10.1.2.3`, `10.0.0.0/8`, `fd00::/8` or `db.internal`.
    ///
    /// # Errors
    ///
    /// Names the entry that is none of these.
    pub fn parse(entries: &[String]) -> Result<AllowList, String> {
        let mut list = AllowList::default();
        for entry in entries {
            let (address, length) = entry.split_once('/').unwrap_or((entry, ""));
            match (address.parse::<IpAddr>(), length) {
                (Ok(address), "") => {
                    list.networks.push((address, if address.is_ipv4() { 32 } else { 128 }));
                }
                (Ok(address), length) => {
                    let most = if address.is_ipv4() { 32 } else { 128 };
                    let length = length.parse().ok().filter(|length| *length <= most);
                    let length = length.ok_or_else(|| format!("`{entry}` is not a network"))?;
                    list.networks.push((address, length));
                }
                (Err(_), "") if !entry.is_empty() && !entry.contains([':', ' ']) => {
                    list.hosts.push(entry.to_lowercase());
                }
                _ => return Err(format!("`{entry}` is not an address, a network or a host name")),
            }
        }
        Ok(list)
    }

    /// The same list with this machine itself on it.
    pub fn with_loopback(mut self) -> AllowList {
        self.loopback = true;
        self
    }

    /// Whether a host may resolve to anything.
    pub(super) fn trusts_host(&self, host: &str) -> bool {
        self.hosts.contains(&host.to_lowercase())
    }

    /// Whether an address may be connected to.
    pub(super) fn allows(&self, address: IpAddr) -> bool {
        is_public(address)
            || (self.loopback && embedded(address).is_loopback())
            || self.networks.iter().any(|(network, length)| contains(*network, *length, address))
    }
}

fn contains(network: IpAddr, length: u8, address: IpAddr) -> bool {
    match (network, embedded(address)) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
            u32::from(network) & mask == u32::from(address) & mask
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
            u128::from(network) & mask == u128::from(address) & mask
        }
        _ => false,
    }
}

/// The IPv4 address inside of an IPv6 address that only wraps one.
fn embedded(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let octets = v6.octets();
    let last: [u8; 4] = [octets[12], octets[13], octets[14], octets[15]];
    let is_nat64 = v6.segments()[..6] == [0x64, 0xff9b, 0, 0, 0, 0];
    let is_compatible =
        octets[..12] == [0; 12] && v6 != Ipv6Addr::LOCALHOST && v6 != Ipv6Addr::UNSPECIFIED;
    if let Some(mapped) = v6.to_ipv4_mapped() {
        IpAddr::V4(mapped)
    } else if is_nat64 || is_compatible {
        IpAddr::V4(Ipv4Addr::from(last))
    } else if v6.segments()[0] == 0x2002 {
        IpAddr::V4(Ipv4Addr::new(octets[2], octets[3], octets[4], octets[5]))
    } else {
        address
    }
}

/// Whether an address is reachable by everybody, by the special-purpose registries of RFC 6890 and
/// its successors.
fn is_public(address: IpAddr) -> bool {
    match embedded(address) {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            let is_special = v4.is_unspecified()
                || a == 0
                || v4.is_loopback()
                || v4.is_private()
                || v4.is_link_local()
                || (a == 100 && (64..128).contains(&b))
                || (a == 192 && b == 0 && c == 0)
                || v4.is_documentation()
                || (a == 192 && b == 88 && c == 99)
                || (a == 198 && (b == 18 || b == 19))
                || v4.is_multicast()
                || a >= 240;
            !is_special
        }
        IpAddr::V6(v6) => {
            let first = v6.segments()[0];
            let is_special = v6.is_unspecified()
                || v6.is_loopback()
                || v6.is_multicast()
                || v6.is_unique_local()
                || v6.is_unicast_link_local()
                || (first & 0xffc0) == 0xfec0
                || (first == 0x2001 && v6.segments()[1] < 0x200)
                || (first == 0x2001 && v6.segments()[1] == 0xdb8)
                || first == 0x100
                || first == 0x3fff
                || first == 0x5f00
                || v6.segments()[..2] == [0x64, 0xff9b];
            !is_special
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(list: &AllowList, address: &str) -> bool {
        list.allows(address.parse().unwrap())
    }

    #[test]
    fn only_public_addresses_are_allowed() {
        let none = AllowList::default();
        for address in ["1.1.1.1", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "192.0.1.1"] {
            assert!(allowed(&none, address), "{address}");
        }
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "127.0.0.1",
            "127.9.9.9",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "192.0.0.1",
            "192.0.2.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "192.88.99.1",
            "::",
            "::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "2001:10::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:a00:1::",
            "100::1",
            "3fff::1",
            "5f00::1",
        ] {
            assert!(!allowed(&none, address), "{address}");
        }
    }

    #[test]
    fn a_list_allows_more() {
        let entries = ["10.1.2.3", "192.168.0.0/16", "fd00::/8", "DB.internal"].map(str::to_owned);
        let list = AllowList::parse(&entries).unwrap();
        for address in ["10.1.2.3", "192.168.7.7", "::ffff:192.168.7.7", "fd12::1"] {
            assert!(allowed(&list, address), "{address}");
        }
        for address in ["10.1.2.4", "172.16.0.1", "fe80::1", "127.0.0.1"] {
            assert!(!allowed(&list, address), "{address}");
        }
        assert!(list.trusts_host("db.INTERNAL") && !list.trusts_host("internal"));
        let list = list.with_loopback();
        assert!(allowed(&list, "127.0.0.1") && allowed(&list, "::1"));
        assert!(allowed(&list, "::ffff:127.0.0.1") && !allowed(&list, "0.0.0.0"));
        for entry in ["", "10.0.0.0/33", "x/8", "a b", "host:80"] {
            assert!(AllowList::parse(&[entry.to_owned()]).is_err(), "{entry}");
        }
        let all = AllowList::parse(&["0.0.0.0/0".to_owned()]).unwrap();
        assert!(allowed(&all, "127.0.0.1"));
    }
}
