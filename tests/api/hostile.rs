//! Clients that send what they should not, that are slow, or that are many.

use super::Agent;
use super::wire::{Line, Wire};
use futures::future::join_all;
use std::time::{Duration, Instant};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const JSON: &str = "Content-Type: application/json\r\n";
const YAML: &str = "Content-Type: application/yaml\r\n";
const APPLY: &str = "Content-Type: application/apply-patch+yaml\r\n";

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(future)
}

/// The most memory that the agent has had, in MiB.
fn peak(agent: &Agent) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", agent.child.id()));
    let status = status.expect("the agent runs");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("Linux tells it");
    let kib = line.split_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok());
    kib.expect("a number") / 1024
}

/// The agent still answers, and has not crashed meanwhile.
async fn lives(wire: &Wire) {
    assert_eq!(wire.ask("GET", "/readyz", "", b"").await.code, 200);
}

#[test]
fn bodies_that_are_no_objects_are_refused_with_a_status() {
    let agent = Agent::start();
    let wire = Wire::new(&agent);
    let nested = |open: &str, close: &str, times: usize| {
        [open.repeat(times), "1".into(), close.repeat(times)].concat()
    };
    let deep = format!("{{\"data\":{}}}", nested("{\"a\":", "}", 100_000));
    let list = nested("[", "]", 500_000);
    let flow = format!("data: {}", nested("[", "]", 100_000));
    let mut bomb = vec!["a: &a [x, x, x, x, x, x, x, x, x]".to_owned()];
    for (from, to) in "abcdefghijklmnop".chars().zip("bcdefghijklmnopq".chars()) {
        bomb.push(format!("{to}: &{to} [{}]", vec![format!("*{from}"); 9].join(", ")));
    }
    let bomb = bomb.join("\n");
    let large = format!("{{\"data\":{{\"a\":\"{}\"}}}}", "x".repeat(4 << 20));
    let keys: Vec<String> = (0..200_000).map(|n| format!("\"k{n}\":\"\"")).collect();
    let wide = format!("{{\"metadata\":{{\"name\":\"wide\"}},\"data\":{{{}}}}}", keys.join(","));
    let cases: &[(&str, &str, &[u8], u16)] = &[
        ("POST", JSON, b"", 400),
        ("POST", JSON, b"null", 400),
        ("POST", JSON, b"[]", 400),
        ("POST", JSON, b"{\"metadata\":", 400),
        ("POST", JSON, b"{\"metadata\":{\"name\":\"a\"}}trailing", 400),
        ("POST", JSON, b"\xff\xfe\x00", 400),
        ("POST", JSON, b"{\"metadata\":{\"name\":\"\\ud800\"}}", 400),
        ("POST", JSON, b"{\"metadata\":{\"name\":1e999}}", 400),
        ("POST", JSON, b"{\"metadata\":[]}", 400),
        ("POST", JSON, b"{\"metadata\":{\"name\":\"a\\u0000b\"}}", 422),
        ("POST", JSON, b"{\"metadata\":{\"name\":\"../../etc\"}}", 422),
        ("POST", JSON, deep.as_bytes(), 400),
        ("POST", JSON, list.as_bytes(), 400),
        ("POST", JSON, large.as_bytes(), 413),
        ("POST", JSON, wide.as_bytes(), 201),
        ("POST", YAML, flow.as_bytes(), 400),
        ("POST", YAML, bomb.as_bytes(), 400),
        ("POST", YAML, b"a: b: c", 400),
        ("POST", YAML, b"\xff", 400),
        ("POST", "Content-Type: application/vnd.kubernetes.protobuf\r\n", b"k8s\0\xff\xff", 400),
        ("POST", "Content-Type: text/html\r\n", b"{}", 415),
        ("PATCH", "Content-Type: application/json-patch+json\r\n", b"{}", 404),
        ("PATCH", APPLY, flow.as_bytes(), 400),
        ("PATCH", APPLY, bomb.as_bytes(), 400),
        ("DELETE", JSON, b"{\"kind\":1}", 400),
    ];
    run(async {
        for (index, (method, headers, body, code)) in cases.iter().enumerate() {
            let begun = Instant::now();
            let path = match *method {
                "POST" => MAPS.to_owned(),
                _ => format!("{MAPS}/none?fieldManager=test"),
            };
            let answer = wire.ask(method, &path, headers, body).await;
            let shown = String::from_utf8_lossy(&answer.body[..answer.body.len().min(200)]);
            assert_eq!(answer.code, *code, "case {index}: {shown}");
            if answer.code >= 400 {
                assert_eq!(answer.json()["kind"], "Status", "case {index}: {shown}");
                assert_eq!(answer.json()["code"], answer.code, "case {index}: {shown}");
                // what is wrong is said, the body is not sent back
                assert!(answer.body.len() < 64 << 10, "case {index}: {}", answer.body.len());
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "case {index} took long");
        }
        lives(&wire).await;
    });
    let peak = peak(&agent);
    assert!(peak < 300, "{peak} MiB");
}

#[test]
fn paths_queries_and_headers_that_make_no_sense_are_answered() {
    let agent = Agent::start();
    let wire = Wire::new(&agent);
    let long = "x".repeat(30_000);
    let selector = format!("{MAPS}?labelSelector={}", "a%20in%20(".repeat(500));
    let cases: Vec<(String, &str, u16)> = vec![
        (format!("{MAPS}/%2e%2e%2f%2e%2e"), "", 404),
        (format!("{MAPS}/%ff%fe"), "", 404),
        (format!("{MAPS}/%zz"), "", 404),
        ("/api/v1/namespaces/a/b/c/d/e/f".into(), "", 404),
        ("//////".into(), "", 200),
        ("/apis/apps/v1/../../../etc/passwd".into(), "", 404),
        (format!("/{long}"), "", 404),
        (format!("{MAPS}?continue=%00%ff"), "", 400),
        (format!("{MAPS}?continue=AAAA"), "", 400),
        (format!("{MAPS}?limit=-1"), "", 200),
        (format!("{MAPS}?limit=99999999999999999999"), "", 400),
        (format!("{MAPS}?resourceVersion=abc"), "", 400),
        (format!("{MAPS}?fieldSelector=a.b.c%3D%3D%3D"), "", 400),
        (format!("{MAPS}?labelSelector=%21%21%28"), "", 400),
        (selector, "", 400),
        (format!("{MAPS}?timeoutSeconds=x&watch=1&resourceVersion=1e9"), "", 400),
        (MAPS.into(), "Accept: text/html;q=x,,,;=\r\n", 406),
        (MAPS.into(), "Authorization: Bearer \u{1f4a3}\r\n", 401),
        (MAPS.into(), "Impersonate-User: \r\nImpersonate-Group: system:masters\r\n", 500),
        (MAPS.into(), "Content-Type: ;;;\r\n", 200),
    ];
    run(async {
        for (path, headers, code) in &cases {
            let answer = wire.ask("GET", path, headers, b"").await;
            let start: String = path.chars().take(80).collect();
            assert_eq!(answer.code, *code, "{start}: {}", answer.head);
        }
        // requests that are no HTTP at all
        for bytes in [&b"\x00\x01\x02\r\n\r\n"[..], b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"] {
            let mut line = wire.connect().await;
            line.send(bytes).await;
            let code = line.answer().await.code;
            assert!(matches!(code, 0 | 400 | 505), "{code}");
        }
        // headers without an end
        let mut line = wire.connect().await;
        line.send(b"GET /api HTTP/1.1\r\nHost: a\r\n").await;
        for number in 0..2_000 {
            line.send(format!("X-{number}: {}\r\n", "y".repeat(100)).as_bytes()).await;
        }
        let code = line.answer().await.code;
        assert!(matches!(code, 0 | 400 | 431), "{code}");
        lives(&wire).await;
    });
    let peak = peak(&agent);
    assert!(peak < 200, "{peak} MiB");
}

/// Begins a request and does not end its headers.
async fn halt_in_headers(wire: &Wire) -> Line {
    let mut line = wire.connect().await;
    let half = format!("POST {MAPS} HTTP/1.1\r\nHost: a\r\nContent-Type: appl");
    line.send(half.as_bytes()).await;
    line
}

#[test]
fn slow_clients_hold_nobody_up() {
    let agent = Agent::start();
    let wire = Wire::new(&agent);
    run(async {
        // some never shake hands, some never end their headers, some never send their body
        let mut silent = Vec::new();
        let mut halting = Vec::new();
        for _ in 0..30 {
            silent.push(wire.plain().await);
            halting.push(halt_in_headers(&wire).await);
            let mut line = wire.connect().await;
            let half = format!(
                "POST {MAPS} HTTP/1.1\r\nHost: a\r\n{JSON}Content-Length: 1000\r\n\r\n{{\"met"
            );
            line.send(half.as_bytes()).await;
            halting.push(line);
        }
        let begun = Instant::now();
        for _ in 0..50 {
            lives(&wire).await;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    });
}

/// Creates ConfigMaps `m00000` and so on, eight at a time; the one that is told of has its label.
async fn write(wire: &Wire, numbers: std::ops::Range<usize>, told: usize) {
    const WRITERS: usize = 8;
    let writers = (0..WRITERS).map(|writer| {
        let (wire, numbers) = (wire.clone(), numbers.clone());
        tokio::spawn(async move {
            let mut line = wire.connect().await;
            for number in numbers.skip(writer).step_by(WRITERS) {
                let label = if number == told { "yes" } else { "no" };
                let body = format!(
                    "{{\"metadata\":{{\"name\":\"m{number:05}\",\"labels\":{{\"told\":\
                     \"{label}\"}}}},\"data\":{{\"number\":\"{number}\"}}}}"
                );
                line.request("POST", MAPS, JSON, body.as_bytes()).await;
                assert_eq!(line.answer().await.code, 201);
            }
        })
    });
    for writer in join_all(writers).await {
        writer.expect("it wrote everything");
    }
}

#[test]
fn a_thousand_watchers_of_thousands_of_objects() {
    const WATCHES: usize = 1_000;
    const OBJECTS: usize = 3_000;
    const WATCHED: usize = 500;
    let agent = Agent::start();
    let wire = Wire::new(&agent);
    run(async {
        let mut halted = halt_in_headers(&wire).await;
        let begun = Instant::now();
        write(&wire, 0..OBJECTS - WATCHED, OBJECTS).await;
        let before = begun.elapsed();
        let list = wire.ask("GET", &format!("{MAPS}?limit=1"), "", b"").await.json();
        let version = list["metadata"]["resourceVersion"].as_str().expect("a version").to_owned();
        let query =
            format!("labelSelector=told%3Dyes&timeoutSeconds=300&resourceVersion={version}");
        let mut watches = Vec::new();
        while watches.len() < WATCHES {
            // a few at a time, since a handshake must be done in time on any machine
            let some = (0..20).map(|_| async {
                let mut line = wire.connect().await;
                line.request("GET", &format!("{MAPS}?watch=true&{query}"), "", b"").await;
                let head = line.head().await;
                assert!(head.starts_with("HTTP/1.1 200"), "{head}");
                line
            });
            watches.extend(join_all(some).await);
        }
        let begun = Instant::now();
        write(&wire, OBJECTS - WATCHED..OBJECTS, OBJECTS - 1).await;
        let written = begun.elapsed();
        let told = join_all(watches.iter_mut().map(|line| async {
            let chunk = line.chunk().await.expect("one object is told");
            String::from_utf8_lossy(&chunk).contains("\"m02999\"")
        }));
        assert!(told.await.into_iter().all(|right| right), "each is told of the one it selects");

        // the agent has a limit of connections, and the watches take most of it
        let begun = Instant::now();
        let (mut seen, mut token, mut version) = (Vec::new(), String::new(), None);
        let mut line = wire.connect().await;
        loop {
            let path = format!("{MAPS}?limit=500&labelSelector=told&continue={token}");
            line.request("GET", &path, "", b"").await;
            let page = line.answer().await;
            assert_eq!(page.code, 200);
            let page = page.json();
            let items = page["items"].as_array().expect("a list");
            assert!(items.len() <= 500);
            seen.extend(items.iter().map(|item| item["metadata"]["name"].to_string()));
            let this = page["metadata"]["resourceVersion"].clone();
            assert_eq!(version.get_or_insert(this.clone()), &this, "all pages show one version");
            match page["metadata"]["continue"].as_str() {
                Some(next) if !next.is_empty() => next.clone_into(&mut token),
                _ => break,
            }
            // what is written between two pages is in none of them
            if seen.len() == 500 {
                let body = "{\"metadata\":{\"name\":\"m99999\",\"labels\":{\"told\":\"no\"}}}";
                assert_eq!(wire.ask("POST", MAPS, JSON, body.as_bytes()).await.code, 201);
            }
        }
        assert_eq!(seen.len(), OBJECTS);
        assert!(seen.is_sorted(), "in the order of names");
        let listed = begun.elapsed();
        let peak = peak(&agent);
        eprintln!(
            "{OBJECTS} objects: {before:?} to write all but {WATCHED}, {written:?} to write these \
             under {WATCHES} watches, {listed:?} to list them, at most {peak} MiB"
        );
        assert!(peak < 400, "{peak} MiB");
        lives(&wire).await;
        // who does not end his headers was or is hung up on meanwhile
        let closed = tokio::time::timeout(Duration::from_secs(25), halted.answer()).await;
        assert!(matches!(closed.map(|answer| answer.code), Ok(0 | 408)), "after its time");
    });
}
