//! Charts from servers: Helm repositories, plain addresses and registries, with versions, logins
//! and dependencies, beside Helm where it is there.

use super::Folder;
use crate::prerequisites::has;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A web server of the files in a folder. It asks for a login where one is set, and remembers what
/// it was asked for.
pub(crate) struct Web {
    pub(crate) address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Web {
    pub(crate) fn serve(folder: PathBuf, login: Option<&'static str>) -> Web {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = asked.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (folder, log) = (folder.clone(), log.clone());
                std::thread::spawn(move || answer(stream, &folder, login, &log));
            }
        });
        Web { address, asked }
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().expect("no panic"))
    }
}

fn answer(mut stream: TcpStream, folder: &Path, login: Option<&str>, log: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream.try_clone().expect("a stream"));
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line.trim().is_empty() {
            break;
        }
        lines.push(line.trim().to_owned());
    }
    let path = lines.first().and_then(|line| line.split(' ').nth(1)).unwrap_or("/").to_owned();
    let header = |line: &&String| line.to_lowercase().starts_with("authorization: ");
    let given = lines.iter().find(header).map(|line| line.split(' ').skip(1).collect::<Vec<_>>());
    let given = given.map(|words| words.join(" "));
    let shown = if given.is_some() { " with login" } else { "" };
    log.lock().expect("no panic").push(format!("{path}{shown}"));
    let wanted = login.map(|login| format!("Basic {}", STANDARD.encode(login)));
    let file = std::fs::read(folder.join(path.trim_start_matches('/')));
    let (status, body) = match file {
        _ if wanted.is_some() && given != wanted => ("401 Unauthorized", Vec::new()),
        Ok(body) => ("200 OK", body),
        Err(_) => ("404 Not Found", Vec::new()),
    };
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let _ = reader.read_to_end(&mut Vec::new());
}

/// Packs versions of a chart into a folder, with an index as `helm repo index` writes it.
pub(super) fn repository(folder: &Folder, name: &str, versions: &[&str]) {
    let mut index = format!("apiVersion: v1\nentries:\n  {name}:\n");
    std::fs::create_dir_all(folder.path("repo/charts")).expect("a folder");
    for version in versions {
        folder.chart(name, version, "");
        folder.wharf(&["package", name, "-d", "repo/charts"]).fine();
        let archive = std::fs::read(folder.path(&format!("repo/charts/{name}-{version}.tgz")));
        let digest = wharf::base::digest::Digest::of(&archive.expect("an archive"));
        let _ = write!(
            index,
            "  - apiVersion: v2\n    name: {name}\n    version: {version}\n    digest: {}\n    \
             urls: [charts/{name}-{version}.tgz]\n",
            digest.hex()
        );
    }
    std::fs::write(folder.path("repo/index.yaml"), index).expect("an index");
}

const VERSIONS: &[&str] = &["1.0.0", "1.2.0", "1.10.0", "2.0.0-rc.1"];

#[test]
fn charts_come_from_repositories_in_the_version_that_suits() {
    let folder = Folder::new();
    repository(&folder, "web", VERSIONS);
    if has("helm") {
        folder.helm(&["repo", "index", "repo"]).fine();
    }
    let web = Web::serve(folder.path("repo"), None);
    folder.helm_home(&web.address, "");
    let archive = format!("{}/charts/web-1.2.0.tgz", web.address);
    let cases: &[(&[&str], &str)] = &[
        (&["web", "--repo", &web.address], "1.10.0"),
        (&["web", "--repo", &web.address, "--version", "1.2.0"], "1.2.0"),
        (&["web", "--repo", &web.address, "--version", "<1.10"], "1.2.0"),
        (&["web", "--repo", &web.address, "--version", "~1.0"], "1.0.0"),
        (&["web", "--repo", &web.address, "--devel"], "2.0.0-rc.1"),
        (&["mine/web"], "1.10.0"),
        (&["mine/web", "--version", "^1.0.0"], "1.10.0"),
        (&[&archive], "1.2.0"),
    ];
    for (args, version) in cases {
        for verb in ["template", "render"] {
            let args: Vec<&str> = [verb].into_iter().chain(args.iter().copied()).collect();
            let run = folder.wharf(&args);
            let said = format!("version: {version}\n");
            assert!(run.fine().contains(&said), "{args:?}: {run:#?}");
        }
    }
    if has("helm") {
        folder.helm(&["repo", "update"]).fine();
        for (args, _) in cases {
            let args: Vec<&str> = ["template"].into_iter().chain(args.iter().copied()).collect();
            assert_eq!(folder.helm(&args).fine(), folder.wharf(&args).fine(), "{args:?}");
        }
    }
    let there = |args: &[&str]| folder.wharf(&[&["template"], args].concat());
    there(&["wep", "--repo", &web.address]).fails(1, &["wharf::source::no_chart", "`web`"]);
    there(&["mine/web", "--version", "7"]).fails(1, &["has no chart `web` of version 7"]);
    there(&["web", "--repo", "http://127.0.0.1:1"]).fails(4, &["wharf::source::no_answer"]);
}

#[test]
fn logins_go_to_the_host_they_are_for() {
    let folder = Folder::new();
    repository(&folder, "web", VERSIONS);
    let web = Web::serve(folder.path("repo"), Some("ada:secret"));
    let elsewhere = Web::serve(folder.path("repo"), None);
    let login = ["--username", "ada", "--password", "secret"];
    let there = |args: &[&str]| folder.wharf(&[&["template"], args].concat());
    let repo = ["web", "--repo", &web.address];
    there(&repo).fails(1, &["wharf::source::answer", "the server answered 401"]);
    there(&[&repo[..], &login].concat()).fine();
    assert_eq!(web.asked().last().map(String::as_str), Some("/charts/web-1.10.0.tgz with login"));
    folder.helm_home(&web.address, "  username: ada\n  password: secret\n");
    there(&["mine/web"]).fine();
    // an index that leads elsewhere gets no login there, unless it is wished
    let index = std::fs::read_to_string(folder.path("repo/index.yaml")).expect("an index");
    let index = index.replace("charts/", &format!("{}/charts/", elsewhere.address));
    std::fs::write(folder.path("repo/index.yaml"), index).expect("an index");
    there(&[&repo[..], &login].concat()).fine();
    assert_eq!(elsewhere.asked(), ["/charts/web-1.10.0.tgz"]);
    there(&[&repo[..], &login, &["--pass-credentials"]].concat()).fine();
    assert_eq!(elsewhere.asked(), ["/charts/web-1.10.0.tgz with login"]);
    // a password is in nothing that is said
    let wrong = there(&[&repo[..], &["--username", "ada", "--password", "wr0ng"]].concat());
    wrong.fails(1, &["401"]);
    assert!(!wrong.err.contains("wr0ng"), "{wrong:#?}");
    // what was exchanged is refused
    folder.chart("web", "1.10.0", "description: other\n");
    folder.wharf(&["package", "web", "-d", "repo/charts"]).fine();
    there(&[&repo[..], &login].concat()).fails(1, &["wharf::source::digest"]);
}

#[test]
fn dependencies_are_fetched_as_the_lock_says() {
    let folder = Folder::new();
    repository(&folder, "web", VERSIONS);
    let web = Web::serve(folder.path("repo"), None);
    folder.chart("near", "0.1.0", "");
    let wanted = format!(
        "dependencies:\n- {{name: web, version: '>=1.0.0 <2', repository: '{}', alias: front}}\n- \
         {{name: near, version: 0.x, repository: 'file://../near', condition: near.on}}\n",
        web.address
    );
    folder.chart("shop", "1.0.0", &wanted);
    folder.wharf(&["template", "shop"]).fails(1, &["missing in charts/ directory: web, near"]);
    let run = folder.wharf(&["template", "shop", "--dependency-update"]);
    assert!(run.fine().contains("# Source: shop/charts/front/templates/map.yaml"), "{run:#?}");
    assert_eq!(run.err, "fetched web 1.10.0\nfetched near 0.1.0\n");
    let lock = std::fs::read_to_string(folder.path("shop/Chart.lock")).expect("a lock");
    assert!(lock.contains("version: 1.10.0"), "{lock}");
    if has("helm") {
        // the lock is one that Helm takes
        folder.helm_home(&web.address, "");
        let listed = folder.helm(&["dependency", "list", "shop"]);
        assert_eq!(listed.fine().matches("ok").count(), 2, "{listed:#?}");
        std::fs::remove_dir_all(folder.path("shop/charts")).expect("it is there");
        folder.helm(&["dependency", "build", "shop"]).fine();
    }
    // a newer version does not count as long as the lock does
    std::fs::remove_dir_all(folder.path("shop/charts")).expect("it is there");
    repository(&folder, "web", &[VERSIONS, &["1.11.0"]].concat());
    let run = folder.wharf(&["template", "shop", "--dependency-update"]);
    run.fine();
    assert_eq!(run.err, "fetched web 1.10.0\nfetched near 0.1.0\n");
    folder.write(
        "shop/Chart.yaml",
        &format!(
            "apiVersion: v2\nname: shop\nversion: 1.0.0\n{}",
            wanted.replace(">=1.0.0 <2", "1.11.x")
        ),
    );
    std::fs::remove_file(folder.path("shop/charts/near-0.1.0.tgz")).expect("it is there");
    let run = folder.wharf(&["template", "shop", "--dependency-update"]);
    run.fine();
    let told = "Chart.lock does not go with Chart.yaml: versions are chosen anew\n";
    assert_eq!(run.err, format!("{told}fetched web 1.11.0\nfetched near 0.1.0\n"));
    let charts = folder.path("shop/charts");
    let mut left: Vec<String> = std::fs::read_dir(charts)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    left.sort();
    assert_eq!(left, ["near-0.1.0.tgz", "web-1.11.0.tgz"]);
}

/// Debian's registry in a folder; it ends with the value.
pub(super) struct Registry {
    child: Child,
    pub(super) address: String,
}

impl Registry {
    pub(super) fn start(folder: &Folder) -> Registry {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port");
        let config = format!(
            "version: 0.1\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: \
             '{port}'}}\n",
            folder.path("registry").display()
        );
        folder.write("registry.yml", &config);
        let mut command = folder.command("docker-registry", &["serve", "registry.yml"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("it starts");
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(port).is_err() {
            assert!(Instant::now() < deadline, "the registry does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        Registry { child, address: format!("oci://{port}/charts") }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn charts_come_from_registries_in_the_version_that_suits() {
    if !has("docker-registry") {
        return;
    }
    let folder = Folder::new();
    repository(&folder, "web", &[VERSIONS, &["1.10.0+build"]].concat());
    let registry = Registry::start(&folder);
    for version in [VERSIONS, &["1.10.0+build"]].concat() {
        let archive = format!("repo/charts/web-{version}.tgz");
        folder.wharf(&["push", &archive, &registry.address]).fine();
    }
    let chart = format!("{}/web", registry.address);
    let tagged = format!("{chart}:1.2.0");
    let cases: &[(&[&str], &str)] = &[
        (&[&chart, "--version", "1.2.0"], "1.2.0"),
        (&[&chart, "--version", "<1.10"], "1.2.0"),
        (&[&chart, "--version", "1.10.0+build"], "1.10.0+build"),
        (&[&chart, "--version", ">1-0"], "2.0.0-rc.1"),
        (&[&tagged], "1.2.0"),
        (&[&tagged, "--version", "1.2.0"], "1.2.0"),
    ];
    for (args, version) in cases {
        let args = [&["template"], *args].concat();
        let run = folder.wharf(&args);
        let said = format!("version: {version}\n");
        assert!(run.fine().contains(&said), "{args:?}: {run:#?}");
        if has("helm") {
            let helm = folder.helm(&[&args[..], &["--plain-http"]].concat());
            assert_eq!(helm.fine(), run.out, "{args:?}");
        }
    }
    folder.wharf(&["render", &chart, "--version", "<1.10"]).fine();
    let there = |args: &[&str]| folder.wharf(&[&["template"], args].concat());
    there(&[&chart, "--version", "7.x"]).fails(1, &["wharf::source::no_such_version", "7.x"]);
    there(&[&tagged, "--version", "1.0.0"]).fails(1, &["1.2.0 is not 1.0.0"]);
    // a dependency in a registry
    let wanted = format!(
        "dependencies: [{{name: web, version: ~1.2, repository: '{}'}}]\n",
        registry.address
    );
    folder.chart("shop", "1.0.0", &wanted);
    let run = folder.wharf(&["template", "shop", "--dependency-update"]);
    assert!(run.fine().contains("# Source: shop/charts/web/templates/map.yaml"), "{run:#?}");
}

#[test]
fn kustomizations_take_charts_from_repositories_and_registries() {
    let folder = Folder::new();
    repository(&folder, "web", VERSIONS);
    let web = Web::serve(folder.path("repo"), None);
    let built = |address: &str, version: &str, flags: &[&str]| {
        let chart =
            format!("helmCharts:\n- {{name: web, releaseName: r, repo: '{address}'{version}}}\n");
        folder.write("shop/kustomization.yaml", &format!("namePrefix: a-\n{chart}"));
        folder.wharf(&[&["kustomize", "shop", "--enable-helm"], flags].concat())
    };
    built(&web.address, "", &[]).fails(1, &["wharf::render::helm_chart", "without --allow-remote"]);
    assert_eq!(web.asked(), Vec::<String>::new());
    let allowed = &["--allow-remote"];
    for (version, found) in [
        ("", "1.10.0"),
        (", version: 1.2.0", "1.2.0"),
        (", version: ~1.0", "1.0.0"),
        (", devel: true", "2.0.0-rc.1"),
    ] {
        let _ = std::fs::remove_file(folder.path("shop/wharf.lock"));
        let run = built(&web.address, version, allowed);
        assert!(run.fine().contains(&format!("version: {found}\n")), "{version}: {run:#?}");
        assert!(run.out.contains("name: a-web\n"), "{run:#?}");
    }
    // what is pinned comes from the cache
    let pinned = built(&web.address, ", version: 1.2.0", allowed);
    let lock = std::fs::read_to_string(folder.path("shop/wharf.lock")).expect("a lock file");
    assert!(lock.contains("web:1.2.0") && lock.contains("sha256:"), "{lock}");
    web.asked();
    assert_eq!(built(&web.address, ", version: 1.2.0", allowed).fine(), pinned.fine());
    assert_eq!(web.asked(), Vec::<String>::new());
    built(&web.address, ", version: 7.0.0", allowed).fails(1, &["7.0.0", "kustomization.yaml:3:3"]);
    if has("docker-registry") {
        let registry = Registry::start(&folder);
        folder.wharf(&["push", "repo/charts/web-1.2.0.tgz", &registry.address]).fine();
        let run = built(&registry.address, ", version: 1.2.0", allowed);
        assert_eq!(run.fine(), pinned.out);
    }
}
