//! The surroundings that the containers of a pod share: network, host name, shared memory, files.
//!
//! No process holds them: the namespaces stay because files are mounted over them.
//!
//! ```text
//! <run>/sandboxes/<id>/sandbox.json   who it is and its address
//!                      ready          it was made to the end
//!                      net uts ipc    the namespaces
//!                      shm/           memory for /dev/shm
//!                      hosts resolv.conf hostname
//! ```

use super::container::{read_json, write_json, write_whole};
use super::error::{Faults, RuntimeError, file, network};
use super::network::{Bridge, Inside};
use super::{mount, sys};
use rustix::fd::AsFd;
use rustix::mount::MountFlags;
use rustix::thread::{LinkNameSpaceType, UnshareFlags};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use tokio::net::{TcpSocket, TcpStream};

/// Kernel settings that concern only the pod itself, so that anyone may set them.
const SAFE_SYSCTLS: &[&str] = &[
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
];

/// Set in every pod, so that nobody needs root or a capability for a low port or a ping.
const DEFAULT_SYSCTLS: &[(&str, &str)] =
    &[("net.ipv4.ip_unprivileged_port_start", "0"), ("net.ipv4.ping_group_range", "0 2147483647")];

/// The size of `/dev/shm`, as container engines set it.
const SHM_OPTIONS: &std::ffi::CStr = c"mode=1777,size=67108864";

/// Whether a kernel setting is one that every pod may set.
pub fn is_safe_sysctl(name: &str) -> bool {
    SAFE_SYSCTLS.contains(&name)
}

/// A sandbox to make.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SandboxSpec {
    /// Its identifier: a file name, unique among all sandboxes.
    pub id: String,
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's name.
    pub name: String,
    /// The pod's uid.
    pub uid: String,
    /// What the pod calls itself.
    pub hostname: String,
    /// Share the host's network and host name.
    pub host_network: bool,
    /// Share the host's interprocess communication.
    pub host_ipc: bool,
    /// Kernel settings of its own namespaces; the caller has checked them.
    pub sysctls: BTreeMap<String, String>,
    /// The text of `/etc/resolv.conf`.
    pub resolv_conf: String,
    /// Lines for `/etc/hosts` after those for the pod itself.
    pub host_aliases: Vec<(String, Vec<String>)>,
    /// The pod's full name, when it has one besides the host name.
    pub domain_name: Option<String>,
}

/// A sandbox that exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sandbox {
    /// What it was asked to be.
    pub spec: SandboxSpec,
    /// Its address; none in the host's network.
    pub ip: Option<Ipv4Addr>,
    folder: PathBuf,
}

impl Sandbox {
    /// Its identifier.
    pub fn id(&self) -> &str {
        &self.spec.id
    }

    /// The file of its network namespace; none in the host's network.
    pub fn netns(&self) -> Option<PathBuf> {
        (!self.spec.host_network).then(|| self.folder.join("net"))
    }

    /// Connects to a port of the pod's loopback address, as a program in the pod would.
    pub(super) async fn connect(&self, port: u16) -> io::Result<TcpStream> {
        let mut fault = None;
        for address in [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)] {
            let address = SocketAddr::new(address, port);
            let attempt = async { self.socket_inside(address)?.connect(address).await };
            match attempt.await {
                Ok(stream) => return Ok(stream),
                // the first fault is the one to tell: most programs listen on version 4
                Err(error) => fault = fault.or(Some(error)),
            }
        }
        Err(fault.expect("one address was tried"))
    }

    /// A socket belongs to the network in which it was made, whoever uses it later.
    fn socket_inside(&self, address: SocketAddr) -> io::Result<TcpSocket> {
        let make = move || match address {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        };
        let Some(path) = self.netns() else { return make() };
        let netns = fs::File::open(path)?;
        let work = move || {
            rustix::thread::move_into_link_name_space(
                netns.as_fd(),
                Some(LinkNameSpaceType::Network),
            )?;
            make()
        };
        let thread = std::thread::Builder::new().name("connect".to_owned()).spawn(work)?;
        thread.join().unwrap_or_else(|_| Err(io::Error::other("the thread panicked")))
    }

    pub(super) fn new(spec: SandboxSpec, ip: Option<Ipv4Addr>, folder: PathBuf) -> Sandbox {
        Sandbox { spec, ip, folder }
    }

    /// Reads the record of a sandbox; `None` when its folder holds none.
    pub(super) fn load(folder: &Path) -> Result<Option<Sandbox>, RuntimeError> {
        read_json(&folder.join("sandbox.json"))
    }

    /// Whether everything of it is there: it was made to the end, its removal has not begun, and no
    /// reboot took its mounts away.
    pub(super) fn is_whole(&self) -> bool {
        if !self.ready().exists() {
            return false;
        }
        let mounts = mount::mounts_below(&self.folder).unwrap_or_default();
        self.namespaces().iter().all(|(_, path)| mounts.contains(path))
            && mounts.contains(&self.shm())
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    fn ready(&self) -> PathBuf {
        self.folder.join("ready")
    }

    pub(super) fn shm(&self) -> PathBuf {
        self.folder.join("shm")
    }

    /// The namespaces of its own, by OCI's name of the kind.
    pub(super) fn namespaces(&self) -> Vec<(&'static str, PathBuf)> {
        let mut kinds = Vec::new();
        if !self.spec.host_network {
            kinds.push(("network", self.folder.join("net")));
            kinds.push(("uts", self.folder.join("uts")));
        }
        if !self.spec.host_ipc {
            kinds.push(("ipc", self.folder.join("ipc")));
        }
        kinds
    }

    /// Makes everything. What is left of a failed attempt, [`Sandbox::remove`] takes away.
    pub(super) fn create(&self, bridge: &Bridge) -> Result<(), RuntimeError> {
        let folder = &self.folder;
        fs::create_dir_all(folder).map_err(file("make", folder))?;
        // first, so that a crash leaves nothing that nobody knows of
        write_json(&folder.join("sandbox.json"), self)?;
        self.write_files()?;
        let shm = self.shm();
        fs::create_dir_all(&shm).map_err(file("make", &shm))?;
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        rustix::mount::mount("shm", &shm, "tmpfs", flags, Some(SHM_OPTIONS))
            .map_err(file("mount", &shm))?;
        let inside = self.make_namespaces()?;
        if let (Some(inside), Some(ip)) = (inside, self.ip) {
            bridge.attach(&folder.join("net"), &inside, ip)?;
        }
        let ready = self.ready();
        fs::write(&ready, "").map_err(file("write", ready))
    }

    /// Takes everything away, and says all that could not be.
    pub(super) fn remove(&self, bridge: &Bridge) -> Result<(), RuntimeError> {
        let mut faults = Faults::default();
        // first, so that an interrupted removal leaves nothing that looks whole
        let _ = fs::remove_file(self.ready());
        if let Some(ip) = self.ip {
            faults.note(bridge.detach(ip));
        }
        faults.note(mount::unmount_below(&self.folder));
        faults.note(remove_folder(&self.folder));
        faults.into_result(format!("sandbox `{}`", self.spec.id))
    }

    fn write_files(&self) -> Result<(), RuntimeError> {
        let spec = &self.spec;
        let write =
            |name: &str, text: &str| write_whole(&self.folder.join(name), text.as_bytes(), 0o644);
        write("hostname", &format!("{}\n", spec.hostname))?;
        write("resolv.conf", &spec.resolv_conf)?;
        let own = if spec.host_network {
            fs::read_to_string("/etc/hosts").unwrap_or_default()
        } else {
            String::new()
        };
        write("hosts", &hosts(spec, self.ip, &own))
    }

    /// Makes the namespaces in a thread that ends, and gives a way into the network one.
    fn make_namespaces(&self) -> Result<Option<Inside>, RuntimeError> {
        let mut flags = UnshareFlags::empty();
        let mut mounts = Vec::new();
        for (kind, path) in self.namespaces() {
            let (flag, name) = match kind {
                "network" => (UnshareFlags::NEWNET, "net"),
                "uts" => (UnshareFlags::NEWUTS, "uts"),
                _ => (UnshareFlags::NEWIPC, "ipc"),
            };
            flags |= flag;
            mounts.push((format!("/proc/thread-self/ns/{name}"), path));
        }
        if mounts.is_empty() {
            return Ok(None);
        }
        let spec = self.spec.clone();
        let work = move || -> Result<Option<Inside>, RuntimeError> {
            sys::unshare(flags).map_err(network("make namespaces"))?;
            if !spec.host_network {
                rustix::system::sethostname(spec.hostname.as_bytes())
                    .map_err(network("set the host name"))?;
            }
            for (namespace, path) in mounts {
                fs::File::create(&path).map_err(file("make", &path))?;
                rustix::mount::mount_bind(&namespace, &path).map_err(file("mount", &path))?;
            }
            set_sysctls(&spec)?;
            if spec.host_network {
                return Ok(None);
            }
            Inside::open().map(Some).map_err(network("open a netlink socket"))
        };
        let thread = std::thread::Builder::new()
            .name("sandbox".to_owned())
            .spawn(work)
            .map_err(network("start a thread"))?;
        thread.join().unwrap_or_else(|_| {
            Err(network("make namespaces")(io::Error::other("the thread panicked")))
        })
    }
}

/// Kernel settings of the calling thread's namespaces.
fn set_sysctls(spec: &SandboxSpec) -> Result<(), RuntimeError> {
    let mut settings: BTreeMap<&str, &str> = BTreeMap::new();
    if !spec.host_network {
        settings.extend(DEFAULT_SYSCTLS.iter().copied());
    }
    settings.extend(spec.sysctls.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    for (name, value) in settings {
        let known = !name.contains("..") && !name.contains("//") && !name.starts_with('/');
        let path = format!("/proc/sys/{}", name.replace('.', "/"));
        let written = if known {
            fs::write(&path, value)
        } else {
            Err(io::Error::other("it is no name of a setting"))
        };
        written.map_err(network(format!("set {name} to {value}")))?;
    }
    Ok(())
}

/// The text of `/etc/hosts`, with the lines that kubelet writes.
fn hosts(spec: &SandboxSpec, ip: Option<Ipv4Addr>, of_the_host: &str) -> String {
    let mut text = if spec.host_network {
        format!("# Kubernetes-managed hosts file (host network).\n{of_the_host}")
    } else {
        let mut text = "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n\
            ::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\n\
            fe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n"
            .to_owned();
        if let Some(ip) = ip {
            let full =
                spec.domain_name.as_ref().map(|name| format!("{name}\t")).unwrap_or_default();
            let _ = writeln!(text, "{ip}\t{full}{}", spec.hostname);
        }
        text
    };
    if !spec.host_aliases.is_empty() {
        text.push_str("\n# Entries added by HostAliases.\n");
        for (address, names) in &spec.host_aliases {
            let _ = writeln!(text, "{address}\t{}", names.join("\t"));
        }
    }
    text
}

/// Removes a folder that may be gone already.
pub(super) fn remove_folder(folder: &Path) -> Result<(), RuntimeError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(file("remove", folder)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_files() {
        let spec = SandboxSpec {
            hostname: "web-0".to_owned(),
            domain_name: Some("web-0.web.default.svc.cluster.local".to_owned()),
            host_aliases: vec![("10.1.2.3".to_owned(), vec!["a".to_owned(), "b".to_owned()])],
            ..SandboxSpec::default()
        };
        let text = hosts(&spec, Some(Ipv4Addr::new(10, 42, 0, 2)), "");
        assert!(text.starts_with("# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n"));
        assert!(text.ends_with(
            "fe00::2\tip6-allrouters\n10.42.0.2\tweb-0.web.default.svc.cluster.local\tweb-0\n\n\
             # Entries added by HostAliases.\n10.1.2.3\ta\tb\n"
        ));
        let shared = SandboxSpec { host_network: true, ..SandboxSpec::default() };
        let text = hosts(&shared, None, "127.0.0.1 me\n");
        assert_eq!(text, "# Kubernetes-managed hosts file (host network).\n127.0.0.1 me\n");
    }
}
