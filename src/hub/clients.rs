//! How many connections each client has.
//!
//! A client is an address, or an IPv6 network of 64 bits. Refused connections count as well until
//! they close. Some refused connections get an answer; further ones are dropped.
//!
//! Pure: addresses come in, verdicts go out.

use crate::http::forwarded::counted_as;
use std::collections::HashMap;
use std::net::IpAddr;

/// Connections of one client beyond the limit that get a refusal at a time.
const TOLD_MAX: usize = 8;

#[derive(Debug)]
pub struct Clients {
    /// `None`: connections are not counted.
    most: Option<usize>,
    /// Invariant: never 0.
    counts: HashMap<IpAddr, usize>,
}

/// What happens to one more connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    Admitted,
    /// The connection gets a refusal, and closes.
    Refused,
    /// Too many even for that. It is not counted.
    Dropped,
}

impl Clients {
    pub fn new(most: Option<usize>) -> Clients {
        Clients {
            most,
            counts: HashMap::new(),
        }
    }

    /// Counts one more connection of this client, unless it is to be dropped.
    pub fn come(&mut self, client: IpAddr) -> Admission {
        let Some(most) = self.most else {
            return Admission::Admitted;
        };
        let count = self.counts.entry(counted_as(client)).or_default();
        let admission = match *count {
            count if count < most => Admission::Admitted,
            count if count < most + TOLD_MAX => Admission::Refused,
            _ => return Admission::Dropped,
        };
        *count += 1;
        admission
    }

    /// Connections that are counted now.
    #[cfg(feature = "testing")]
    pub fn counted(&self) -> usize {
        self.counts.values().sum()
    }

    /// A counted connection has closed.
    pub fn leave(&mut self, client: IpAddr) {
        let client = counted_as(client);
        if let Some(count) = self.counts.get_mut(&client) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn client_over_its_limit_is_refused_and_then_dropped() {
        let mut clients = Clients::new(Some(2));
        let one = ip("192.0.2.1");
        assert_eq!(clients.come(one), Admission::Admitted);
        assert_eq!(clients.come(one), Admission::Admitted);
        for _ in 0..TOLD_MAX {
            assert_eq!(clients.come(one), Admission::Refused);
        }
        assert_eq!(clients.come(one), Admission::Dropped);
        // Others are not meant.
        assert_eq!(clients.come(ip("192.0.2.2")), Admission::Admitted);
        for _ in 0..TOLD_MAX {
            clients.leave(one);
        }
        assert_eq!(clients.come(one), Admission::Refused);
        clients.leave(one);
        clients.leave(one);
        assert_eq!(clients.come(one), Admission::Admitted);
    }

    #[test]
    fn departed_clients_leave_no_count() {
        let mut clients = Clients::new(Some(2));
        for address in ["192.0.2.1", "2001:db8::1", "192.0.2.1", "2001:db8::2"] {
            assert_eq!(clients.come(ip(address)), Admission::Admitted);
        }
        assert_eq!(clients.come(ip("2001:db8::3")), Admission::Refused);
        for address in [
            "192.0.2.1",
            "2001:db8::9",
            "192.0.2.1",
            "2001:db8::2",
            "2001:db8::1",
        ] {
            clients.leave(ip(address));
        }
        assert!(clients.counts.is_empty());
    }

    #[test]
    fn missing_limit_counts_no_client() {
        let mut clients = Clients::new(None);
        for _ in 0..100 {
            assert_eq!(clients.come(ip("192.0.2.1")), Admission::Admitted);
        }
        clients.leave(ip("192.0.2.1"));
        assert!(clients.counts.is_empty());
    }
}
