//! The embedded schemas: that they are what the generator writes, that opening them is cheap, and
//! that `kubectl` understands the OpenAPI documents made of them.

use crate::prerequisites::{has, skip};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use wharf::schema::{Schemas, openapi};

#[test]
fn the_files_are_what_the_generator_writes() {
    let wanted = std::env::var_os("WHARF_CI").is_some();
    let wheel = std::env::var_os("WHARF_SCHEMA_WHEEL");
    if !wanted && wheel.is_none() {
        return skip("set WHARF_SCHEMA_WHEEL, or WHARF_CI to download the wheel");
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    let mut command = Command::new(folder.join("generate.py"));
    command.arg("--check");
    if let Some(wheel) = wheel {
        command.arg("--wheel").arg(wheel);
    }
    let output = command.output().expect("python3 is installed");
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "run schemas/generate.py\n{said}{errors}");
}

#[test]
fn the_messages_are_what_their_generator_writes() {
    if std::env::var_os("WHARF_CI").is_none() {
        return skip("set WHARF_CI to download Go modules");
    }
    let mut command =
        Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/messages.py"));
    let output = command.arg("--check").output().expect("python3 is installed");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "run schemas/messages.py\n{errors}");
}

#[test]
fn opening_a_version_is_cheap() {
    // a fresh version each time; the first also inflates the table
    let mut slowest = Duration::ZERO;
    for version in Schemas::versions().iter().copied() {
        let start = Instant::now();
        let schemas = Schemas::kubernetes(version).expect("a listed version");
        assert!(schemas.kind("v1", "Pod").is_some());
        slowest = slowest.max(start.elapsed());
    }
    let limit = if cfg!(debug_assertions) { 60 } else { 6 };
    assert!(slowest < Duration::from_millis(limit), "{slowest:?}");
}

const SERVED: &[openapi::Resource] = &[openapi::Resource {
    group: "apps",
    version: "v1",
    kind: "Deployment",
    plural: "deployments",
    namespaced: true,
    subresources: &["status", "scale"],
}];

/// Answers one request with discovery or OpenAPI.
fn answer(stream: &TcpStream) -> std::io::Result<()> {
    let schemas = Schemas::kubernetes("1.36").expect("1.36 is embedded");
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let path = line.split(' ').nth(1).unwrap_or_default().split('?').next().unwrap_or_default();
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header)? < 3 {
            break;
        }
    }
    let body = match path {
        "/api" => r#"{"kind":"APIVersions","versions":["v1"]}"#.to_owned(),
        "/api/v1" => r#"{"kind":"APIResourceList","groupVersion":"v1","resources":[]}"#.to_owned(),
        "/apis" => r#"{"kind":"APIGroupList","apiVersion":"v1","groups":[{"name":"apps",
            "versions":[{"groupVersion":"apps/v1","version":"v1"}],
            "preferredVersion":{"groupVersion":"apps/v1","version":"v1"}}]}"#
            .to_owned(),
        "/apis/apps/v1" => r#"{"kind":"APIResourceList","groupVersion":"apps/v1","resources":[
            {"name":"deployments","singularName":"deployment","namespaced":true,
             "kind":"Deployment","verbs":["get","patch"]}]}"#
            .to_owned(),
        "/openapi/v3" => openapi::index(&schemas, SERVED),
        "/openapi/v3/apis/apps/v1" => {
            openapi::document(&schemas, SERVED, "apps", "v1").expect("it is served")
        }
        _ => String::new(),
    };
    let status = if body.is_empty() { "404 Not Found" } else { "200 OK" };
    let mut stream = stream;
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn kubectl_explains_from_the_openapi_documents() {
    if !has("kubectl") {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer(&stream));
        }
    });
    let cache = tempfile::tempdir().expect("a temporary folder");
    let explain = |field: &str| {
        let output = Command::new("kubectl")
            .env("KUBECONFIG", "/dev/null")
            .arg(format!("--server=http://{address}"))
            .arg(format!("--cache-dir={}", cache.path().display()))
            .args(["explain", field])
            .output()
            .expect("kubectl runs");
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{field}: {errors}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let strategy = explain("deployment.spec.strategy");
    for part in
        ["GROUP:      apps", "FIELD: strategy <DeploymentStrategy>", "rollingUpdate", "type"]
    {
        assert!(strategy.contains(part), "{part} in {strategy}");
    }
    let containers = explain("deployment.spec.template.spec.containers");
    for part in ["FIELD: containers <[]Container>", "-required-", "Container image name"] {
        assert!(containers.contains(part), "{part} in {containers}");
    }
}
