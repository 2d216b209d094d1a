//! Which requests get in: the rules of [`access`](crate::access) written down again.

use crate::access::origin::{LocalNames, Origins};
use crate::access::token::{Act, Grant, TokenKey};
use crate::access::{Access, Policy, Shown, StreamKeys};
use crate::http::RequestHead;
use crate::http::forwarded::TrustedProxies;
use crate::routes::{Permission, Route};
use crate::secret::Secret;
use crate::stream_name::StreamName;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::LazyLock;

/// The keys of a guarded server.
const PUBLISH_KEY: &str = "p";
const WATCH_KEY: &str = "w";

/// A stream that has a publish key of its own, and that.
const OWN_STREAM: &str = "own";
const OWN_KEY: &str = "o";

/// Seconds since 1970.
const NOW: u64 = 1_800_000_000;

static TOKEN_KEY: LazyLock<TokenKey> = LazyLock::new(|| {
    TokenKey::new(&Secret::new("0123456789abcdef0123456789abcdef")).expect("a secret long enough")
});

/// All tokens that were ever given away and are good still, and what each of them grants.
static TOKENS: LazyLock<[(String, Grant); 2]> = LazyLock::new(|| {
    [Act::Publish, Act::Watch].map(|act| {
        let stream = StreamName::try_from("demo").expect("a name");
        let grant = Grant { stream, act };
        (TOKEN_KEY.sign(&grant, NOW + 1), grant)
    })
});

/// Guarded by keys, by tokens, and open to its own machine.
static SERVERS: LazyLock<[Access; 3]> = LazyLock::new(|| {
    let own = StreamKeys {
        publish: Some(OWN_KEY.into()),
        watch: None,
    };
    let own_stream = StreamName::try_from(OWN_STREAM).expect("a name");
    let access = |publish, watch, local_names| Access {
        publish,
        watch,
        streams: BTreeMap::from([(own_stream.clone(), own.clone())]),
        tokens: Some(TOKEN_KEY.clone()),
        origins: Origins::default(),
        local_names,
    };
    [
        access(
            Policy::Key(PUBLISH_KEY.into()),
            Policy::Key(WATCH_KEY.into()),
            None,
        ),
        access(Policy::Token, Policy::Token, None),
        access(Policy::Open, Policy::Open, Some(LocalNames::default())),
    ]
});

/// Tokens to begin with: two that are good, and one that was.
pub fn tokens() -> Vec<String> {
    let mut tokens: Vec<String> = TOKENS.iter().map(|(token, _)| token.clone()).collect();
    tokens.push(TOKEN_KEY.sign(&TOKENS[0].1, NOW));
    tokens
}

/// Requests with permission get in, and no others.
pub fn assert_only_guests_get_in(route: &Route, head: &RequestHead) {
    let [keyed, signed, local] = &*SERVERS;
    let shown = keyed.shown(head, NOW);
    assert_eq!(shown.grants, granted(head), "{head:?}");
    let is_let_in = |access: &Access| access.admit(route, head, &shown).is_ok();
    let Some(permission) = route.permission() else {
        assert!(is_let_in(keyed) && is_let_in(signed) && is_let_in(local));
        return;
    };
    let is_at_home = !route.acts_for_a_page() || is_of_our_pages(head);
    let has_token = has_token(&permission, &shown);
    let has_key = |publish, watch| has_key(&permission, &shown, publish, watch);
    let has_one = has_token || has_key(Some(PUBLISH_KEY), Some(WATCH_KEY));
    assert_eq!(is_let_in(keyed), is_at_home && has_one);
    let has_one = has_token || has_key(None, None);
    assert_eq!(is_let_in(signed), is_at_home && has_one);
    // Watching is open there, and publishing but for the stream with a key of its own.
    let is_guarded = matches!(permission, Permission::Publish(name) if name.as_str() == OWN_STREAM);
    let is_expected = is_at_home && is_called_local(head) && (has_one || !is_guarded);
    assert_eq!(is_let_in(local), is_expected, "{head:?}");
}

/// The grants of its valid tokens. A token may come in a key's place.
fn granted(head: &RequestHead) -> Vec<Grant> {
    let offered = head.token.iter().chain(&head.keys);
    let grants = offered.filter_map(|offer| {
        let mut known = TOKENS.iter();
        let (_, grant) = known.find(|(token, _)| token == offer.expose())?;
        Some(grant.clone())
    });
    grants.collect()
}

fn has_token(permission: &Permission<'_>, shown: &Shown<'_>) -> bool {
    let mut grants = shown.grants.iter();
    match permission {
        Permission::List => true,
        Permission::Watch(name) => grants.any(|grant| **name == grant.stream),
        Permission::Publish(name) => {
            grants.any(|grant| **name == grant.stream && grant.act == Act::Publish)
        }
    }
}

/// Whether one of the keys in a request is a key of the server, or the stream's own.
fn has_key(
    permission: &Permission<'_>,
    shown: &Shown<'_>,
    publish: Option<&str>,
    watch: Option<&str>,
) -> bool {
    let publish_of = |name: &StreamName| match name.as_str() {
        OWN_STREAM => Some(OWN_KEY),
        _ => publish,
    };
    let mut keys = shown.keys.iter().map(|key| Some(key.expose()));
    match permission {
        Permission::List => true,
        Permission::Watch(name) => keys.any(|key| [publish_of(name), watch].contains(&key)),
        Permission::Publish(name) => keys.any(|key| publish_of(name) == key),
    }
}

/// Either the request is not from a page, or the page is from the host of the request.
fn is_of_our_pages(head: &RequestHead) -> bool {
    let Some(origin) = &head.origin else {
        return true;
    };
    let Some(host) = &head.host else {
        return false;
    };
    let origin = origin.to_ascii_lowercase();
    let (authority, default) = match origin.split_once("://") {
        Some(("http", authority)) => (authority, 80),
        Some(("https", authority)) => (authority, 443),
        _ => return false,
    };
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    // Of what is no host, browsers make no origin; and a star may mean any.
    let is_one = !authority.contains('*') && !authority.is_empty();
    is_one
        && name_and_port(authority, default) == name_and_port(&host.to_ascii_lowercase(), default)
}

/// By an address, or by a name that is not for sale.
fn is_called_local(head: &RequestHead) -> bool {
    let host = head.host.as_deref().unwrap_or_default();
    let (name, _) = name_and_port(&host.to_ascii_lowercase(), 80);
    let name = name.strip_suffix('.').unwrap_or(&name);
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    !name.contains('.') || name.ends_with(".localhost") || bare.parse::<IpAddr>().is_ok()
}

/// The name and port of a valid Host; the result for an invalid one does not matter.
fn name_and_port(host: &str, default: u32) -> (String, u32) {
    let parts = host.rsplit_once(':');
    let parts = parts.filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    match parts {
        Some((name, "")) => (name.to_owned(), default),
        // More than any port, if it is no number.
        Some((name, port)) => (name.to_owned(), port.parse().unwrap_or(u32::MAX)),
        None => (host.to_owned(), default),
    }
}

/// The client address is the one that the last trusted proxy reports.
pub fn assert_the_client_was_named(forwarded_for: Option<&str>) {
    let peer = IpAddr::from([10, 0, 0, 1]);
    let proxies = |networks: &[&str]| {
        let networks = networks.iter().map(|it| it.parse().expect("a network"));
        TrustedProxies::new(networks.collect())
    };
    assert_eq!(proxies(&[]).client(peer, forwarded_for), peer);
    let is_ours = |it: &IpAddr| matches!(it, IpAddr::V4(it) if it.octets()[0] == 10);
    let address = |hop: &str| {
        let hop = hop.trim();
        let bare = match hop.strip_prefix('[') {
            Some(rest) => rest.strip_suffix(']').unwrap_or(hop),
            None => hop,
        };
        let address = hop.parse::<SocketAddr>().map(|it| it.ip());
        let address = address.ok().or_else(|| bare.parse().ok())?;
        Some(address.to_canonical())
    };
    // From the end of the list to the first that is not ours, or cannot be read.
    let hops = forwarded_for.unwrap_or_default().rsplit(',').map(address);
    let mut named = vec![peer];
    for hop in hops.take_while(Option::is_some).flatten() {
        named.push(hop);
        if !is_ours(&hop) {
            break;
        }
    }
    let ours = proxies(&["10.0.0.0/8"]);
    assert_eq!(Some(&ours.client(peer, forwarded_for)), named.last());
}
