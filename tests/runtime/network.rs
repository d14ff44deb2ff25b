//! Pods that talk to each other, to Services, and the host to them.

use super::support::{Host, on_a_host};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wharf::agent::runtime::{NetworkConfig, Protocol, ServiceRule};

/// A web server whose answer is its own name, and its address.
async fn server(host: &Host, id: &str) -> Ipv4Addr {
    let ip = host.sandbox(id).await.ip.expect("an address");
    let script = "mkdir -p /www && hostname >/www/name && exec httpd -f -p 80 -h /www";
    host.start(&host.script(id, &format!("{id}-server"), script)).await;
    host.retry(|| get((ip, 80))).await.expect("it answers");
    ip
}

/// Asks a web server for its name.
async fn get(address: (Ipv4Addr, u16)) -> Result<String, std::io::Error> {
    let ask = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(b"GET /name HTTP/1.0\r\n\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let name = answer.rsplit("\r\n").next().unwrap_or_default().trim().to_owned();
        if name.is_empty() { Err(std::io::Error::other("no name")) } else { Ok(name) }
    };
    tokio::time::timeout(Duration::from_secs(3), ask)
        .await
        .unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
}

fn service(host: &Host, last: u8, backends: &[(Ipv4Addr, u16)]) -> ServiceRule {
    ServiceRule {
        cluster_ip: host.service_ip(last),
        port: 8000,
        protocol: Protocol::Tcp,
        node_port: None,
        external_ips: Vec::new(),
        session_affinity: false,
        backends: backends.to_vec(),
    }
}

#[test]
fn a_network_that_another_link_has_is_not_taken() {
    on_a_host(|host| async move {
        let own = host.network();
        own.check().expect("a bridge is not in its own way");
        let (link, subnet) = (own.bridge.clone(), own.pod_subnet);
        let other = NetworkConfig { bridge: "wharf-other".to_owned(), ..own };
        let said = other.check().expect_err("the bridge of this host has it").to_string();
        let gateway = subnet.gateway();
        assert_eq!(
            said,
            format!("the network {subnet} is taken: `{link}` has the address {gateway}")
        );
        let free = "10.229.0.0/24".parse().expect("a subnet");
        let services = NetworkConfig { pod_subnet: free, service_subnet: Some(subnet), ..other };
        services.check().expect_err("Services are to be where its pods are");
        NetworkConfig { service_subnet: None, ..services }.check().expect("nobody has it");
    });
}

#[test]
fn pods_reach_each_other_services_and_themselves() {
    on_a_host(|host| async move {
        let (a, b) = (server(&host, "a").await, server(&host, "b").await);
        let mut rules = vec![
            service(&host, 10, &[(a, 80), (b, 80)]),
            ServiceRule { session_affinity: true, ..service(&host, 11, &[(a, 80), (b, 80)]) },
            service(&host, 12, &[(a, 80)]),
            service(&host, 13, &[]),
        ];
        rules[0].node_port = Some(host.node_port());
        host.runtime.apply_services(rules.clone()).await.expect("rules");

        // pod to pod, pod to Service, pod to itself through its Service
        let ask = |url: String| format!("wget -q -O - http://{url}/name 2>&1");
        let from_a = async |url: String| {
            let args = ["sh", "-c", &ask(url)].map(str::to_owned).to_vec();
            let request = wharf::agent::runtime::ExecRequest { args, ..<_>::default() };
            let options = wharf::agent::runtime::ExecOptions {
                timeout: Some(Duration::from_secs(10)),
                ..<_>::default()
            };
            let output = host.runtime.exec("a-server", &request, options).await.expect("it runs");
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        };
        assert_eq!(from_a(b.to_string()).await, "b");
        assert_eq!(from_a(format!("{}:8000", host.service_ip(12))).await, "a", "hairpin");
        let mut seen = BTreeSet::new();
        for _ in 0..20 {
            seen.insert(from_a(format!("{}:8000", host.service_ip(10))).await);
        }
        assert_eq!(seen, BTreeSet::from(["a".to_owned(), "b".to_owned()]), "both are asked");

        // the host to Services and node ports, on every address of its own
        let mut sticky = BTreeSet::new();
        for _ in 0..20 {
            sticky.insert(get((host.service_ip(11), 8000)).await.expect("an answer"));
        }
        assert_eq!(sticky.len(), 1, "one sender, one backend");
        for address in [Ipv4Addr::LOCALHOST, host.gateway()] {
            get((address, host.node_port())).await.expect("a node port");
        }
        assert!(!from_a(format!("{}:{}", host.gateway(), host.node_port())).await.is_empty());

        // without backends: refused, at once
        let begin = Instant::now();
        let fault = get((host.service_ip(13), 8000)).await.expect_err("nobody answers");
        assert_eq!(fault.kind(), std::io::ErrorKind::ConnectionRefused);
        assert!(from_a(format!("{}:8000", host.service_ip(13))).await.contains("refused"));
        assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());

        // a changed set of backends takes effect, and connections that exist go on
        let mut open = TcpStream::connect((host.service_ip(12), 8000)).await.expect("connected");
        rules[2].backends = vec![(b, 80)];
        host.runtime.apply_services(rules).await.expect("rules");
        assert_eq!(get((host.service_ip(12), 8000)).await.expect("an answer"), "b");
        open.write_all(b"GET /name HTTP/1.0\r\n\r\n").await.expect("sent");
        let mut answer = String::new();
        open.read_to_string(&mut answer).await.expect("an answer");
        assert!(answer.trim().ends_with('a'), "{answer}");
    });
}

#[test]
fn services_carry_udp() {
    on_a_host(|host| async move {
        let ip = host.sandbox("a").await.ip.expect("an address");
        let netns = std::fs::File::open(
            host.runtime.sandbox("a").and_then(|pod| pod.netns()).expect("a netns"),
        )
        .expect("it opens");
        // a thread in the pod's network echoes
        std::thread::spawn(move || {
            let kind = rustix::thread::LinkNameSpaceType::Network;
            rustix::thread::move_into_link_name_space(netns.as_fd(), Some(kind)).expect("inside");
            let socket = std::net::UdpSocket::bind("0.0.0.0:53").expect("a port");
            socket.set_read_timeout(Some(Duration::from_secs(20))).expect("a limit");
            let mut bytes = [0; 64];
            while let Ok((count, sender)) = socket.recv_from(&mut bytes) {
                let _ = socket.send_to(&bytes[..count], sender);
            }
        });
        let mut rule = service(&host, 20, &[(ip, 53)]);
        (rule.port, rule.protocol) = (5353, Protocol::Udp);
        host.runtime.apply_services(vec![rule]).await.expect("rules");
        let ask = async || -> std::io::Result<()> {
            let socket = tokio::net::UdpSocket::bind("0.0.0.0:0").await?;
            socket.connect((host.service_ip(20), 5353)).await?;
            socket.send(b"ping").await?;
            let mut answer = [0; 8];
            let wait = tokio::time::timeout(Duration::from_millis(300), socket.recv(&mut answer));
            match wait.await {
                Ok(Ok(4)) if &answer[..4] == b"ping" => Ok(()),
                _ => Err(std::io::Error::other("no answer")),
            }
        };
        host.retry(ask).await.expect("an answer through the Service");
    });
}

#[test]
fn fifty_pods_at_once_get_an_address_each_and_leave_nothing() {
    on_a_host(|host| async move {
        const PODS: usize = 50;
        let begin = Instant::now();
        let mut all = Vec::new();
        for number in 0..PODS {
            let (runtime, spec) = (host.runtime.clone(), host.pod(&format!("pod-{number}")));
            all.push(tokio::spawn(async move { runtime.create_sandbox(&spec).await }));
        }
        let mut addresses = BTreeSet::new();
        for made in all {
            let sandbox = made.await.expect("no panic").expect("a sandbox");
            addresses.insert(sandbox.ip.expect("an address"));
        }
        assert_eq!(addresses.len(), PODS);
        assert_eq!(host.links().len(), PODS);
        let made = begin.elapsed();
        // a new agent knows which addresses are in use
        let runtime = host.reopen().await;
        let next = runtime.create_sandbox(&host.pod("next")).await.expect("a sandbox");
        assert!(!addresses.contains(&next.ip.expect("an address")));
        let begin = Instant::now();
        runtime.shut_down().await.expect("all goes");
        eprintln!("{PODS} sandboxes at once: made in {made:.1?}, gone in {:.1?}", begin.elapsed());
        assert!(host.links().is_empty());
        // what the first one still knows is gone
        for number in 0..PODS {
            host.runtime.remove_sandbox(&format!("pod-{number}")).await.expect("nothing to do");
        }
    });
}

#[test]
fn a_thousand_services_are_put_into_effect_at_once() {
    on_a_host(|host| async move {
        let rules: Vec<ServiceRule> = (0..1000_u16)
            .map(|number| ServiceRule {
                port: 1000 + number,
                ..service(
                    &host,
                    30,
                    &[(Ipv4Addr::new(10, 9, 8, 7), 80), (Ipv4Addr::new(10, 9, 8, 8), 80)],
                )
            })
            .collect();
        let begin = Instant::now();
        host.runtime.apply_services(rules.clone()).await.expect("rules");
        let first = begin.elapsed();
        let begin = Instant::now();
        host.runtime.apply_services(rules).await.expect("rules again");
        eprintln!("1000 Services: {first:.1?}, replaced in {:.1?}", begin.elapsed());
    });
}
