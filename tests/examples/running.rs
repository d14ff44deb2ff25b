//! The example packages as a user runs them: applied to an agent, called over the network, upgraded
//! while requests come in, and removed.

use crate::agent::http;
use crate::deploy::{Node, image};
use crate::prerequisites::skip;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};
use wharf::cluster::{Client, ListOptions};
use wharf::object::{Gvk, ObjectId};

/// The program of the examples' image; empty where it could not be compiled.
const PROGRAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/demo"));

/// How long something that should happen soon may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Everything that a release of an example makes, and what the agent makes of that.
const KINDS: [(&str, &str); 6] = [
    ("apps/v1", "Deployment"),
    ("apps/v1", "ReplicaSet"),
    ("v1", "Pod"),
    ("v1", "Service"),
    ("v1", "ConfigMap"),
    ("v1", "Secret"),
];

/// One release of an example in a namespace of its own.
struct Shop<'a> {
    node: &'a Node,
    threads: tokio::runtime::Runtime,
    client: Client,
    source: String,
    release: &'static str,
    namespace: &'static str,
}

impl<'a> Shop<'a> {
    fn new(node: &'a Node, release: &'static str, namespace: &'static str) -> Shop<'a> {
        let threads = tokio::runtime::Runtime::new().expect("threads");
        let client = threads.block_on(node.host.client(namespace));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts-examples").join(release);
        let source = source.to_str().expect("a path of text").to_owned();
        Shop { node, threads, client, source, release, namespace }
    }

    /// Applies the package, and sees that all Deployments of it are told ready.
    fn apply(&self, more: &[&str], ready: &[&str]) {
        let args = ["apply", &self.source, "-f", "here.yaml", "--timeout", "60s"];
        let place = ["-n", self.namespace, "--create-namespace"];
        let run = self.node.host.run(&[&args[..], &place, more].concat());
        for part in ready {
            let line = format!("ready     Deployment {}/{part}", self.namespace);
            assert!(run.fine().err.contains(&line), "no `{line}`: {run:#?}");
        }
    }

    /// The address of a Service.
    fn address(&self, service: &str) -> String {
        let gvk = Gvk::new("v1", "Service");
        let id = ObjectId { gvk, namespace: self.namespace.into(), name: service.into() };
        let service = self.threads.block_on(self.client.get(&id)).expect("the agent answers");
        let service = service.expect("the package has it");
        service.str_at(&["spec", "clusterIP"]).expect("it has an address").to_owned()
    }

    /// How many objects of a kind there are that labels match.
    fn count(&self, version: &str, kind: &str, labels: Option<&str>) -> usize {
        let options = ListOptions { labels: labels.map(str::to_owned), ..ListOptions::default() };
        let list = async {
            let resource = self.client.resource(&Gvk::new(version, kind)).await?;
            self.client.list(&resource, Some(self.namespace), &options).await
        };
        self.threads.block_on(list).expect("the agent answers").items.len()
    }

    /// Asks a page again and again while something is done; every request must be answered.
    fn loses_no_request(&self, address: &str, port: u16, act: impl FnOnce()) {
        let (over, asked) = (AtomicBool::new(false), AtomicU32::new(0));
        let began = Instant::now();
        let lost: Vec<String> = std::thread::scope(|scope| {
            let asking = scope.spawn(|| {
                let mut lost = Vec::new();
                while !over.load(Ordering::Relaxed) {
                    asked.fetch_add(1, Ordering::Relaxed);
                    lost.extend(http(address, port, "/").err());
                    std::thread::sleep(Duration::from_millis(5));
                }
                lost
            });
            let end = End(&over);
            act();
            drop(end);
            asking.join().expect("asking does not panic")
        });
        let asked = asked.into_inner();
        assert!(lost.is_empty(), "{} of {asked} requests were lost: {lost:#?}", lost.len());
        let took = began.elapsed().as_millis();
        assert!(asked > 10, "only {asked} requests were made");
        eprintln!("{}: none of {asked} requests in {took} ms was lost", self.namespace);
    }

    /// Removes the release; nothing of it stays, neither as an object nor on the host.
    fn uninstall(&self) {
        let place = ["-n", self.namespace, "--timeout", "60s"];
        self.node.host.run(&[&["uninstall", self.release][..], &place].concat()).fine();
        let label = format!("app.kubernetes.io/instance={}", self.release);
        let left = || {
            let kinds =
                KINDS.iter().filter(|(version, kind)| self.count(version, kind, Some(&label)) > 0);
            kinds.map(|(_, kind)| *kind).collect::<Vec<_>>()
        };
        until("the objects are gone", || left().is_empty());
        assert_eq!(self.count("v1", "Secret", Some("owner=helm")), 0, "of the history");
    }
}

/// Says that it is over, also when a test fails.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A node, a registry with the image, and `here.yaml` that names it.
fn node() -> Option<(Node, impl Drop)> {
    if PROGRAM.is_empty() {
        skip("no static C library was there when the example program was built");
        return None;
    }
    let node = Node::start()?;
    let (registry, address) = node.registry();
    image(&node.host.path("image"), "bin/demo", PROGRAM, &["/bin/demo"], "65532:65532");
    node.host.run(&["push", "image", &format!("oci://{address}/demo:1.0")]).fine();
    let values = format!("image: {{repository: '{address}/demo', tag: '1.0'}}\n");
    node.host.write("here.yaml", &values);
    Some((node, registry))
}

#[track_caller]
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "it never came true that {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Waits until a page holds a text; gives the page.
#[track_caller]
fn shows(address: &str, port: u16, path: &str, text: &str) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let page = http(address, port, path);
        match page {
            Ok(page) if page.contains(text) => return page,
            page => assert!(Instant::now() < deadline, "never `{text}` on {path}: {page:?}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// How many jobs the worker has counted in the cache.
fn jobs(address: &str) -> u64 {
    let mut stream = TcpStream::connect((address, 6379)).expect("the cache listens");
    stream.write_all(b"GET jobs\n").expect("it reads");
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).expect("it answers");
    line.trim().parse().unwrap_or(0)
}

#[test]
fn hello_greets_and_greets_otherwise_without_a_pause() {
    let Some((node, _registry)) = node() else { return };
    let hello = Shop::new(&node, "hello", "default");
    hello.apply(&[], &["hello: 1 of 1 ready"]);
    let address = hello.address("hello");
    shows(&address, 80, "/", "Hello from wharf from hello-");
    shows(&address, 80, "/env/MESSAGE", "Hello from wharf");
    hello.loses_no_request(&address, 80, || {
        hello.apply(&["--set", "message=Bonjour"], &["hello: 1 of 1 ready"]);
        shows(&address, 80, "/", "Bonjour from hello-");
    });
    hello.uninstall();
    node.is_empty();
    assert!(http(&address, 80, "/").is_err(), "a service is left");
}

/// Applies the shop, then one of its overlays, and looks at every part of it.
fn sells(shop: &Shop<'_>, overlay: &str, greeting: &str, ready: &[&str]) {
    let token = format!("apiToken=token-of-{overlay}");
    let base =
        ["shop-web: 2 of 2 ready", "shop-api: 1 of 1 ready", "shop-cache: ", "shop-worker: "];
    shop.apply(&["--set", &token], &base);
    let [web, api, cache] = ["shop-web", "shop-api", "shop-cache"].map(|name| shop.address(name));
    shows(&web, 80, "/", "Welcome to the shop from shop-web-");
    shows(&web, 80, "/", "apples   1.20");
    shows(&api, 8080, "/", "shop-api-");
    shows(&api, 8080, "/env/TOKEN", &format!("token-of-{overlay}"));
    shows(&api, 8080, "/file?path=/etc/shop/catalogue.txt", "cheese   4.75");
    until("the worker did a job", || jobs(&cache) > 0);

    shop.loses_no_request(&web, 80, || {
        shop.apply(&["--set", &token, "--overlay", overlay], ready);
        shows(&web, 80, "/", greeting);
    });
    assert!(shows(&web, 80, "/", greeting).contains("bread    2.50"));
    shows(&api, 8080, "/env/TOKEN", &format!("token-of-{overlay}"));
    let done = jobs(&cache);
    until("the worker goes on", || jobs(&cache) > done);
}

#[test]
fn the_shop_sells_and_becomes_each_of_its_overlays_without_losing_a_request() {
    let Some((node, _registry)) = node() else { return };
    let began = Instant::now();
    std::thread::scope(|scope| {
        let production = scope.spawn(|| {
            let shop = Shop::new(&node, "shop", "shop");
            let ready = ["shop-web: 3 of 3 ready", "shop-api: 2 of 2 ready", "shop-worker: 2 of 2"];
            sells(&shop, "production", "Welcome to the shop from shop-web-", &ready);
            let label = "shop.example.com/stage=production";
            until("all pods are those of the overlay", || {
                shop.count("v1", "Pod", None) == 8 && shop.count("v1", "Pod", Some(label)) == 8
            });
            shop.uninstall();
        });
        let shop = Shop::new(&node, "shop", "shop-staging");
        let ready = ["shop-web: 1 of 1 ready", "shop-api: 1 of 1 ready"];
        sells(&shop, "staging", "Welcome to the shop (staging) from shop-web-", &ready);
        until("one web server is left", || {
            shop.count("v1", "Pod", Some("app.kubernetes.io/component=web")) == 1
        });
        shop.uninstall();
        production.join().expect("the other shop does well");
    });
    node.is_empty();
    eprintln!("two shops sold for {} ms", began.elapsed().as_millis());
}
