//! Names that viewers wait for, before a publisher comes.
//!
//! Any client may open a link before its stream begins, and so any client can make up names. At the
//! limit, one name makes room for the new one: of the client that has most names, the one that has
//! waited longest. So a client that makes up names displaces its own.

use super::Hub;
use crate::http::forwarded::counted_as;
use crate::http::refusal::Refusal;
use crate::session::Socket;
use crate::stream::StreamId;
use crate::websocket::CloseCode;
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Instant;

/// A name for which one client alone waits, and for which there has never been a publisher.
#[derive(Debug, Clone, Copy)]
struct Waited {
    stream: StreamId,
    client: IpAddr,
    since: Instant,
}

impl<S: Socket> Hub<S> {
    /// Makes sure that one more name may be waited for.
    pub(super) fn make_way_for_name(&mut self) -> Result<(), Refusal> {
        let offline = self.streams.broadcasts();
        let offline = offline.filter(|broadcast| broadcast.publisher().is_none());
        if offline.count() < self.settings.limits.max_streams {
            return Ok(());
        }
        let ids = self.streams.ids().into_iter();
        let waited: Vec<Waited> = ids.filter_map(|id| self.waited(id)).collect();
        let displaced = displaced(&waited).ok_or_else(Refusal::full)?;
        let reason = "too many viewers wait for streams that do not exist, try again later";
        self.close_audience(displaced, CloseCode::TryAgain, reason);
        Ok(())
    }

    fn waited(&self, stream: StreamId) -> Option<Waited> {
        let broadcast = self.streams.broadcast(stream)?;
        if broadcast.publisher().is_some() || self.streams.stream(stream).generation() > 0 {
            return None;
        }
        let audience = broadcast
            .audience()
            .viewers()
            .iter()
            .map(|&id| &self.sessions[id]);
        let mut waited = audience.map(|session| Waited {
            stream,
            client: counted_as(session.address()),
            since: session.since(),
        });
        let first = waited.next()?;
        waited
            .all(|other| other.client == first.client)
            .then_some(first)
    }
}

/// The name that makes room.
fn displaced(waited: &[Waited]) -> Option<StreamId> {
    let mut counts: HashMap<IpAddr, usize> = HashMap::new();
    for one in waited {
        *counts.entry(one.client).or_default() += 1;
    }
    let most = counts.values().max()?;
    let of_largest = waited.iter().filter(|one| counts[&one.client] == *most);
    of_largest.min_by_key(|one| one.since).map(|one| one.stream)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::{Catalog, Limits};
    use std::net::Ipv4Addr;
    use std::time::Duration;

    #[test]
    fn the_client_with_most_names_gives_up_its_oldest() {
        let start = Instant::now();
        let mut catalog = Catalog::new(Limits::default());
        let mut waited = |name: &str, host, second| Waited {
            stream: catalog.open(name),
            client: Ipv4Addr::new(192, 0, 2, host).into(),
            since: start + Duration::from_secs(second),
        };
        assert!(displaced(&[]).is_none());
        let honest = waited("tonight", 1, 0);
        let made_up = [waited("b", 2, 7), waited("a", 2, 5), waited("c", 2, 9)];
        assert_eq!(displaced(&[honest]), Some(honest.stream));
        let all = [honest, made_up[0], made_up[1], made_up[2]];
        assert_eq!(displaced(&all), Some(made_up[1].stream));
    }
}
