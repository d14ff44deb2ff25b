//! Kustomizations that name files and repositories of other machines: a bare repository of this
//! machine, and a web server in this process.

use crate::prerequisites::has;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use wharf::source::git::{Request, fetch};

const SERVICE: &str = "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\n";

fn git(folder: &Path, arguments: &[&str]) {
    let status = Command::new("git")
        .args(["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "init.defaultBranch=main"])
        .args(arguments)
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(status.expect("git").success(), "{arguments:?}");
}

/// A bare repository with a kustomization in `base`; its address.
fn repository(home: &Path, name: &str) -> String {
    let (work, bare) = (home.join("work"), home.join("origin.git"));
    fs::create_dir_all(work.join("base")).expect("a folder");
    let text = format!("namePrefix: {name}-\nresources: [web.yaml]\n");
    fs::write(work.join("base/kustomization.yaml"), text).expect("a file");
    fs::write(work.join("base/web.yaml"), SERVICE).expect("a file");
    if !bare.exists() {
        git(&work, &["init"]);
        git(home, &["init", "--bare", "origin.git"]);
    }
    git(&work, &["add", "."]);
    git(&work, &["commit", "-m", name]);
    git(&work, &["push", "--force", &bare.display().to_string(), "HEAD:main"]);
    format!("file://{}//base?ref=main", bare.display())
}

/// Answers every request with the same text.
fn server(body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}/web.yaml", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let _ = stream.read(&mut [0; 4096]);
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n", body.len());
            let _ = write!(stream, "{head}connection: close\r\n\r\n{body}");
        }
    });
    address
}

/// What building prints, or what it says is wrong.
fn build(home: &Path, folder: &str, flags: &[&str]) -> Result<String, String> {
    let output = Command::new(env!("CARGO_BIN_EXE_wharf"))
        .args(["kustomize", folder])
        .args(flags)
        .current_dir(home)
        .env("HOME", home)
        .env_remove("XDG_CACHE_HOME")
        .output()
        .expect("wharf");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

#[test]
fn a_base_of_a_repository_is_pinned_to_its_commit() {
    if !has("git") {
        return;
    }
    let home = tempfile::tempdir().expect("a folder");
    let home = home.path();
    let address = repository(home, "a");
    fs::create_dir(home.join("shop")).expect("a folder");
    let text = format!("resources: ['{address}']\n");
    fs::write(home.join("shop/kustomization.yaml"), text).expect("a file");

    let refused = build(home, "shop", &[]).expect_err("nothing is fetched");
    assert!(refused.contains("nothing is fetched without --allow-remote"), "{refused}");

    let first = build(home, "shop", &["--allow-remote"]).expect("a base");
    assert!(first.contains("name: a-web"), "{first}");
    let lock = fs::read_to_string(home.join("shop/wharf.lock")).expect("a lock file");
    assert!(lock.contains(&address), "{lock}");

    repository(home, "b");
    let again = build(home, "shop", &["--allow-remote"]).expect("the same base");
    assert_eq!(again, first);
    fs::remove_file(home.join("shop/wharf.lock")).expect("a lock file");
    let newer = build(home, "shop", &["--allow-remote"]).expect("a newer base");
    assert!(newer.contains("name: b-web"), "{newer}");
    let whole = build(home, &address, &["--allow-remote"]).expect("a repository");
    assert_eq!(whole, newer);
}

#[test]
fn files_of_web_servers_are_resources() {
    let home = tempfile::tempdir().expect("a folder");
    let home = home.path();
    let text = format!("namePrefix: a-\nresources: ['{}']\n", server(SERVICE));
    fs::write(home.join("kustomization.yaml"), text).expect("a file");
    let built = build(home, ".", &["--allow-remote"]).expect("a file");
    assert_eq!(built, SERVICE.replace("web", "a-web"));
}

#[test]
fn a_commit_is_fetched_once_and_a_branch_each_time() {
    if !has("git") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (origin, cache) = (folder.path().join("origin"), folder.path().join("cache"));
    fs::create_dir(&origin).expect("a folder");
    git(&origin, &["init"]);
    fs::write(origin.join("a.yaml"), "first").expect("a file");
    git(&origin, &["add", "."]);
    git(&origin, &["commit", "-m", "first"]);
    git(&origin, &["tag", "v1"]);
    let address = format!("file://{}", origin.display());
    let request = |reference| Request {
        address: &address,
        reference,
        commit: None,
        timeout: Duration::from_secs(20),
        submodules: true,
    };
    let first = fetch(&request("v1"), &cache).expect("the tag");
    assert_eq!(fs::read_to_string(first.folder.join("a.yaml")).ok().as_deref(), Some("first"));
    fs::write(origin.join("a.yaml"), "second").expect("a file");
    git(&origin, &["commit", "-am", "second"]);
    let second = fetch(&request(""), &cache).expect("the default branch");
    let text = fs::read_to_string(second.folder.join("a.yaml"));
    assert_eq!(text.ok().as_deref(), Some("second"));
    fs::remove_dir_all(&origin).expect("the origin");
    let pinned = Request { commit: Some(&first.commit), ..request("v1") };
    assert_eq!(fetch(&pinned, &cache).expect("from the cache"), first);
    let gone = fetch(&request("v1"), &cache).expect_err("no origin").to_string();
    assert!(gone.starts_with("failed to run 'git fetch"), "{gone}");
    let code = |request: &Request<'_>, cache: &Path| {
        let error = fetch(request, cache).expect_err("a fault");
        miette::Diagnostic::code(&error).map(|code| code.to_string()).unwrap_or_default()
    };
    assert_eq!(code(&request("v1"), &cache), "wharf::source::git");
    let flag = request("--upload-pack=touch x");
    assert_eq!(code(&flag, &cache), "wharf::source::git_reference");
    let short = Request { timeout: Duration::ZERO, ..request("v1") };
    assert_eq!(code(&short, &cache), "wharf::source::git_timeout");
    let file = first.folder.join("a.yaml");
    assert_eq!(code(&request("v1"), &file), "wharf::source::git_cache");
}
