//! The program in the image of the examples: one static binary that needs nothing else in its image.
//!
//! ```text
//! demo http   --port N [--message-env NAME] [--upstream http://host:port/path]…
//!      /          the message, the host name, and what each upstream answers
//!      /healthz   200 while the process lives
//!      /readyz    200 until the process was told to stop
//!      /env/NAME  a variable of the environment
//!      /file?path=/p   a file's text
//! demo cache  --port N              SET key value | GET key | INCR key, one a line
//! demo worker --interval 2s --cache host:port
//! demo exit   --code N [--after 1s]
//! demo sleep
//! ```
//!
//! It is compiled by the build script of wharf, outside of the crate, and embedded in it. glibc's
//! static resolver needs shared libraries at run time, so names are resolved here.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use std::{env, fs, process, thread};

static STOPPING: AtomicBool = AtomicBool::new(false);

const SIGINT: i32 = 2;
const SIGTERM: i32 = 15;

unsafe extern "C" {
    fn signal(number: i32, handler: extern "C" fn(i32)) -> usize;
}

extern "C" fn on_stop(_number: i32) {
    STOPPING.store(true, Ordering::SeqCst);
}

fn main() {
    // SAFETY: the handler only stores to an atomic, which is allowed in a signal handler.
    unsafe {
        signal(SIGTERM, on_stop);
        signal(SIGINT, on_stop);
    }
    let args: Vec<String> = env::args().skip(1).collect();
    let flags = Flags(args.get(1..).unwrap_or_default().to_vec());
    match args.first().map(String::as_str) {
        Some("http") => http(&flags),
        Some("cache") => cache(&flags),
        Some("worker") => worker(&flags),
        Some("exit") => {
            thread::sleep(duration(flags.get("after").unwrap_or("0s")));
            process::exit(flags.get("code").and_then(|code| code.parse().ok()).unwrap_or(0));
        }
        Some("sleep") => stop_when_told(Duration::ZERO),
        _ => {
            eprintln!("usage: demo http|cache|worker|exit|sleep [--flag value]…");
            process::exit(2);
        }
    }
}

struct Flags(Vec<String>);

impl Flags {
    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .windows(2)
            .filter(move |pair| pair[0].strip_prefix("--") == Some(name))
            .map(|pair| pair[1].as_str())
    }

    fn get<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.all(name).last()
    }

    fn port(&self) -> u16 {
        self.get("port").and_then(|port| port.parse().ok()).unwrap_or(8080)
    }
}

/// `2s`, `150ms`, or seconds.
fn duration(text: &str) -> Duration {
    let number = |digits: &str| digits.parse().unwrap_or(0);
    match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(digits), _) => Duration::from_millis(number(digits)),
        (None, Some(digits)) => Duration::from_secs(number(digits)),
        (None, None) => Duration::from_secs(number(text)),
    }
}

/// Waits for SIGTERM, lets requests under way end, exits.
fn stop_when_told(drain: Duration) {
    while !STOPPING.load(Ordering::SeqCst) {
        thread::sleep(Duration::from_millis(20));
    }
    println!("stopping");
    thread::sleep(drain);
    process::exit(0);
}

fn serve(port: u16, handle: impl Fn(TcpStream) + Send + Sync + 'static) {
    let listener = TcpListener::bind(("0.0.0.0", port)).unwrap_or_else(|error| {
        eprintln!("cannot listen on port {port}: {error}");
        process::exit(1);
    });
    println!("listening on port {port}");
    let handle = Arc::new(handle);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let handle = Arc::clone(&handle);
            thread::spawn(move || handle(stream));
        }
    });
    stop_when_told(Duration::from_millis(300));
}

fn http(flags: &Flags) {
    let message = flags.get("message-env").and_then(|name| env::var(name).ok());
    let message = message.unwrap_or_else(|| "hello".to_owned());
    let upstreams: Vec<String> = flags.all("upstream").map(str::to_owned).collect();
    serve(flags.port(), move |stream| {
        let _ = answer(stream, &message, &upstreams);
    });
}

fn answer(mut stream: TcpStream, message: &str, upstreams: &[String]) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut reader = BufReader::new(stream.try_clone()?).take(16 << 10);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut header = String::new();
    while reader.read_line(&mut header)? > 2 {
        header.clear();
    }
    let target = line.split(' ').nth(1).unwrap_or("/");
    let (status, body) = page(target, message, upstreams);
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )
}

fn page(target: &str, message: &str, upstreams: &[String]) -> (&'static str, String) {
    let missing = || ("404 Not Found", "not found\n".to_owned());
    match target {
        "/" => {
            let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
            let mut body = format!("{message} from {}\n", host.trim());
            for upstream in upstreams {
                let answer = fetch(upstream).unwrap_or_else(|error| format!("error: {error}\n"));
                body.push_str(&format!("{upstream}: {answer}"));
            }
            ("200 OK", body)
        }
        "/healthz" => ("200 OK", "ok\n".to_owned()),
        "/readyz" if STOPPING.load(Ordering::SeqCst) => {
            ("503 Service Unavailable", "stopping\n".to_owned())
        }
        "/readyz" => ("200 OK", "ready\n".to_owned()),
        _ => {
            if let Some(name) = target.strip_prefix("/env/") {
                return env::var(name).map_or_else(|_| missing(), |v| ("200 OK", v + "\n"));
            }
            let file = target.strip_prefix("/file?path=").map(fs::read_to_string);
            file.and_then(Result::ok).map_or_else(missing, |text| ("200 OK", text))
        }
    }
}

/// GETs `http://host:port/path` and gives the body.
fn fetch(url: &str) -> std::io::Result<String> {
    let rest = url.strip_prefix("http://").unwrap_or(url);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let address = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
    let mut stream = connect(&address)?;
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.take(64 << 10).read_to_string(&mut text)?;
    Ok(text.split_once("\r\n\r\n").map_or(text.clone(), |(_, body)| body.to_owned()))
}

fn cache(flags: &Flags) {
    let entries: Mutex<HashMap<String, String>> = Mutex::default();
    serve(flags.port(), move |stream| {
        let Ok(mut writer) = stream.try_clone() else { return };
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let mut entries = entries.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let mut words = line.splitn(3, ' ');
            let answer = match (words.next(), words.next(), words.next()) {
                (Some("SET"), Some(key), Some(value)) => {
                    entries.insert(key.to_owned(), value.to_owned());
                    "OK".to_owned()
                }
                (Some("GET"), Some(key), None) => entries.get(key).cloned().unwrap_or_default(),
                (Some("INCR"), Some(key), None) => {
                    let next = entries.get(key).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0) + 1;
                    entries.insert(key.to_owned(), next.to_string());
                    next.to_string()
                }
                _ => "ERROR unknown command".to_owned(),
            };
            drop(entries);
            if writeln!(writer, "{answer}").is_err() {
                return;
            }
        }
    });
}

fn worker(flags: &Flags) {
    let interval = duration(flags.get("interval").unwrap_or("2s"));
    let address = flags.get("cache").unwrap_or("cache:6379").to_owned();
    thread::spawn(move || {
        loop {
            match count(&address) {
                Ok(done) => println!("jobs done: {}", done.trim()),
                Err(error) => println!("cache {address}: {error}"),
            }
            thread::sleep(interval);
        }
    });
    stop_when_told(Duration::ZERO);
}

fn count(address: &str) -> std::io::Result<String> {
    let mut stream = connect(address)?;
    stream.write_all(b"INCR jobs\n")?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    Ok(answer)
}

fn connect(address: &str) -> std::io::Result<TcpStream> {
    let bad = |what: String| std::io::Error::new(std::io::ErrorKind::NotFound, what);
    let (host, port) = address.rsplit_once(':').ok_or_else(|| bad(format!("no port: {address}")))?;
    let port: u16 = port.parse().map_err(|_| bad(format!("no port: {address}")))?;
    let ip = match host.parse::<IpAddr>() {
        Ok(ip) => ip,
        Err(_) => resolve(host).ok_or_else(|| bad(format!("cannot resolve {host}")))?,
    };
    let stream = TcpStream::connect_timeout(&SocketAddr::new(ip, port), Duration::from_secs(3))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    Ok(stream)
}

/// Looks a name up in `/etc/hosts`, then asks the name servers of `/etc/resolv.conf`.
fn resolve(host: &str) -> Option<IpAddr> {
    let hosts = fs::read_to_string("/etc/hosts").unwrap_or_default();
    for line in hosts.lines() {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        let Some(Ok(ip)) = words.next().map(str::parse) else { continue };
        if words.any(|name| name == host) {
            return Some(ip);
        }
    }
    let conf = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let words_of = |key: &str| {
        let line = conf.lines().rev().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let names = words_of("search").into_iter().map(|domain| format!("{host}.{domain}"));
    let names: Vec<String> = names.chain([host.to_owned()]).collect();
    for server in words_of("nameserver") {
        for name in &names {
            if let Some(ip) = ask(&server, name) {
                return Some(ip);
            }
        }
    }
    None
}

/// Asks one name server for an A record (RFC 1035).
fn ask(server: &str, name: &str) -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
    let mut query = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.trim_end_matches('.').split('.') {
        query.push(u8::try_from(label.len()).ok().filter(|length| *length < 64)?);
        query.extend_from_slice(label.as_bytes());
    }
    query.extend_from_slice(&[0, 0, 1, 0, 1]);
    socket.send_to(&query, (server, 53)).ok()?;
    let mut buffer = [0; 1500];
    let length = socket.recv(&mut buffer).ok()?;
    let answer = buffer.get(..length)?;
    let count = u16::from_be_bytes([*answer.get(6)?, *answer.get(7)?]);
    let mut at = query.len();
    for _ in 0..count {
        while answer.get(at)? & 0xc0 == 0 && answer[at] != 0 {
            at += 1 + usize::from(answer[at]);
        }
        at += if answer.get(at)? & 0xc0 == 0xc0 { 2 } else { 1 };
        let record = answer.get(at..at + 10)?;
        let (kind, size) = (record[1], usize::from(u16::from_be_bytes([record[8], record[9]])));
        let data = answer.get(at + 10..at + 10 + size)?;
        if kind == 1 && size == 4 {
            return Some(Ipv4Addr::new(data[0], data[1], data[2], data[3]).into());
        }
        at += 10 + size;
    }
    None
}
