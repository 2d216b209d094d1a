//! Real proxies in front of a server, run with the configuration files that `contrib/` ships.

use super::eventually;
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use tempfile::TempDir;

/// The proxy in front.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Nginx,
    Caddy,
    /// In front of two servers.
    HaProxy,
    /// nginx with all of it below `/video/`, which it takes off what it sends on, and says so.
    NginxStripping,
    /// The same, but the prefix `/video` reaches the server as well.
    NginxBelow,
    /// A cache of segments, and so is Varnish.
    NginxCache,
    Varnish,
}

/// A running proxy, ended when dropped.
pub struct Proxy {
    pub address: SocketAddr,
    child: Child,
    folder: TempDir,
}

impl Proxy {
    /// Starts one that sends all on to `server`.
    pub fn before(server: SocketAddr, kind: Kind) -> Proxy {
        Proxy::before_all(&[server], kind)
    }

    /// Starts one that spreads all over `servers`.
    pub fn before_all(servers: &[SocketAddr], kind: Kind) -> Proxy {
        let server = servers[0];
        let address = free_address();
        let folder = tempfile::tempdir().unwrap();
        let mut command = match kind {
            Kind::Nginx => nginx(folder.path(), address, server, &[]),
            Kind::NginxStripping => {
                let upstream = format!("http://{server};");
                let stripping = format!("http://{server}/;");
                let below = [
                    ("location / {", "location /video/ {"),
                    (&upstream, &stripping),
                    ("X-Forwarded-Prefix \"\";", "X-Forwarded-Prefix /video;"),
                ];
                nginx(folder.path(), address, server, &below)
            }
            Kind::NginxBelow => {
                let below = [("location / {", "location /video/ {")];
                nginx(folder.path(), address, server, &below)
            }
            Kind::NginxCache => {
                let cache = folder.path().join("cache").display().to_string();
                let changed = [
                    ("server 127.0.0.1:8080;", &*format!("server {server};")),
                    ("/var/cache/nginx/live", &cache),
                ];
                nginx_cache(folder.path(), address, &changed)
            }
            Kind::Varnish => varnish(folder.path(), address, server),
            Kind::Caddy => caddy(folder.path(), address, server),
            Kind::HaProxy => haproxy(folder.path(), address, servers),
        };
        let log = fs::File::create(folder.path().join("output")).unwrap();
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let mut child = command.spawn().unwrap_or_else(|error| {
            panic!("this test needs {kind:?}, from Debian's package: {error}")
        });
        let output = folder.path().join("output");
        eventually("the proxy listens", || {
            if let Some(status) = child.try_wait().unwrap() {
                panic!("{status}: {}", fs::read_to_string(&output).unwrap());
            }
            TcpStream::connect(address).ok().map(drop)
        });
        Proxy {
            address,
            child,
            folder,
        }
    }

    /// All that it has logged, anywhere.
    pub fn logs(&self) -> String {
        let files = fs::read_dir(self.folder.path()).unwrap().flatten();
        let texts = files.filter_map(|file| fs::read_to_string(file.path()).ok());
        texts.collect()
    }
}

/// An address for a program that cannot report its own. Below the ports that the kernel gives to
/// clients: a client on such a port may connect to itself, and look like a listener.
pub fn free_address() -> SocketAddr {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    let first = std::process::id() % 1000 * 10;
    let mut free = std::iter::repeat_with(|| {
        let port = 20_000 + first as u16 + TAKEN.fetch_add(1, Ordering::Relaxed);
        let listener = TcpListener::bind(("127.0.0.1", port)).ok()?;
        listener.local_addr().ok()
    });
    free.find_map(|address| address).unwrap()
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // nginx ends its workers on SIGTERM, and would leave them behind on SIGKILL.
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }
}

/// A file of `contrib/`, with each of these replaced, all of which must be there.
fn shipped(name: &str, replaced: &[(&str, &str)]) -> String {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "contrib", name]
        .iter()
        .collect();
    let mut text = fs::read_to_string(path).unwrap();
    for (before, after) in replaced {
        assert!(text.contains(before), "{before:?} in {name}");
        text = text.replace(before, after);
    }
    text
}

fn nginx(
    folder: &Path,
    address: SocketAddr,
    server: SocketAddr,
    changed: &[(&str, &str)],
) -> Command {
    let path = folder.display().to_string();
    let (listen, upstream) = (format!("listen {address};"), format!("http://{server}"));
    let replaced = [
        ("listen 80;", &*listen),
        ("http://127.0.0.1:8080", &upstream),
        ("/var/log/nginx", &path),
    ];
    let site = shipped("nginx.conf", &[&replaced, changed].concat());
    nginx_with(folder, &site)
}

fn nginx_cache(folder: &Path, address: SocketAddr, changed: &[(&str, &str)]) -> Command {
    let path = folder.display().to_string();
    let listen = format!("listen {address};");
    let replaced = [("listen 80;", &*listen), ("/var/log/nginx", &path)];
    let name = "nginx/videostream-cache.conf";
    let site = shipped(name, &[&replaced, changed].concat());
    nginx_with(folder, &site)
}

fn nginx_with(folder: &Path, site: &str) -> Command {
    let path = folder.display().to_string();
    // What Debian's own file says around it, without its user and its folders.
    let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {path}/{name};"))
        .concat();
    // Its workers are of the user that runs the test, or could not reach a folder that is that user's alone.
    let user = if rustix::process::geteuid().is_root() {
        "user root;"
    } else {
        ""
    };
    let main = format!(
        "{user} daemon off; pid {path}/pid; error_log {path}/main.log;
         events {{ worker_connections 768; }}
         http {{ {paths} sendfile on; tcp_nopush on; gzip on; access_log {path}/other.log;
         include {path}/site.conf; }}"
    );
    fs::write(folder.join("site.conf"), site).unwrap();
    fs::write(folder.join("main.conf"), main).unwrap();
    // Where a user's PATH may not lead.
    let program = ["/usr/sbin/nginx", "/usr/local/sbin/nginx"]
        .into_iter()
        .find(|path| Path::new(path).exists());
    let mut command = Command::new(program.unwrap_or("nginx"));
    command.args(["-p", &path, "-e", &format!("{path}/main.log")]);
    command.args(["-c", &format!("{path}/main.conf")]);
    command
}

fn haproxy(folder: &Path, address: SocketAddr, servers: &[SocketAddr]) -> Command {
    let (bind, first, second) = (
        format!("bind {address}"),
        servers[0].to_string(),
        servers[1].to_string(),
    );
    let replaced = [
        ("bind :80", &*bind),
        ("192.0.2.11:8080", &first),
        ("192.0.2.12:8080", &second),
    ];
    let path = folder.join("haproxy.cfg");
    fs::write(&path, shipped("haproxy.cfg", &replaced)).unwrap();
    // Where a user's PATH may not lead.
    let program = ["/usr/sbin/haproxy", "/usr/local/sbin/haproxy"]
        .into_iter()
        .find(|path| Path::new(path).exists());
    let mut command = Command::new(program.unwrap_or("haproxy"));
    command.args(["-db", "-n", "200", "-f"]).arg(path);
    command
}

fn varnish(folder: &Path, address: SocketAddr, server: SocketAddr) -> Command {
    let port = format!(".port = \"{}\";", server.port());
    let site = shipped("varnish/videostream.vcl", &[(".port = \"8080\";", &port)]);
    let file = folder.join("videostream.vcl");
    fs::write(&file, site).unwrap();
    let program = ["/usr/sbin/varnishd", "/usr/local/sbin/varnishd"]
        .into_iter()
        .find(|path| Path::new(path).exists());
    let mut command = Command::new(program.unwrap_or("varnishd"));
    // Without its own user, which may not read this folder, and without a port for orders.
    command.args(["-F", "-j", "none", "-T", "none", "-s", "malloc,64m"]);
    command.args(["-a", &address.to_string()]);
    command.arg("-f").arg(file);
    command.arg("-n").arg(folder.join("work"));
    command
}

fn caddy(folder: &Path, address: SocketAddr, server: SocketAddr) -> Command {
    // Without its own port for orders, and without certificates.
    let test_only = "\n{\n\tadmin off\n\tauto_https off\n\tdefault_bind 127.0.0.1\n";
    let site = shipped(
        "Caddyfile",
        &[
            ("\n{\n", test_only),
            ("live.example.org {", &format!("http://{address} {{")),
            (
                "reverse_proxy 127.0.0.1:8080",
                &format!("reverse_proxy {server}"),
            ),
        ],
    );
    fs::write(folder.join("Caddyfile"), site).unwrap();
    let mut command = Command::new("caddy");
    command
        .args(["run", "--adapter", "caddyfile", "--config"])
        .arg(folder.join("Caddyfile"))
        .env("HOME", folder)
        .env("XDG_CONFIG_HOME", folder)
        .env("XDG_DATA_HOME", folder);
    command
}
