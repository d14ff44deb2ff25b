//! Packages and charts on their way through real registries: Debian's `docker-registry`, our own,
//! Helm's client beside ours, and the credentials that docker keeps.

use crate::prerequisites::has;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The password `sesame` of `robot`, by bcrypt, as the registry wants it.
const USERS: &str = "robot:$2b$04$abcdefghijklmnopqrstuuinwY/tkBVrn3xrxQI/TgnMHhkvl85RW\n";

/// `robot:sesame` in base64, as docker writes it.
const LOGIN: &str = "cm9ib3Q6c2VzYW1l";

/// A registry in a process of its own, and a home for its clients.
pub(crate) struct Place {
    folder: tempfile::TempDir,
    registry: Child,
    pub(crate) address: String,
}

impl Place {
    /// Debian's registry; it asks for a password when told so.
    fn debian(asks: bool) -> Place {
        let folder = tempfile::tempdir().expect("a folder");
        let address = free();
        let users = folder.path().join("users");
        fs::write(&users, USERS).expect("a file");
        let auth = format!("auth: {{htpasswd: {{realm: x, path: {}}}}}\n", users.display());
        let config = format!(
            "version: 0.1\nlog: {{level: error}}\nhttp: {{addr: '{address}'}}\nstorage: \
             {{filesystem: {{rootdirectory: {}}}}}\n{}",
            folder.path().join("registry").display(),
            if asks { &auth } else { "" }
        );
        let path = folder.path().join("registry.yml");
        fs::write(&path, config).expect("a file");
        let mut serve = Command::new("docker-registry");
        serve.arg("serve").arg(path);
        Place::start(folder, address, &mut serve)
    }

    /// The one in wharf.
    pub(crate) fn own() -> Place {
        let folder = tempfile::tempdir().expect("a folder");
        let address = free();
        let mut serve = Command::new(env!("CARGO_BIN_EXE_wharf"));
        serve.args(["registry", "serve", "--listen", &address, "--root"]);
        serve.arg(folder.path().join("registry"));
        Place::start(folder, address, &mut serve)
    }

    fn start(folder: tempfile::TempDir, address: String, serve: &mut Command) -> Place {
        let quiet = serve.stdout(Stdio::null()).stderr(Stdio::null());
        let registry = quiet.spawn().expect("the registry starts");
        let deadline = Instant::now() + Duration::from_secs(20);
        while std::net::TcpStream::connect(&address).is_err() {
            assert!(Instant::now() < deadline, "the registry does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Place { folder, registry, address }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a program at home, where docker's configuration is; output, error output, success.
    fn run(&self, program: &str, args: &[&str]) -> (String, String, bool) {
        let path = std::env::var("PATH").unwrap_or_default();
        let output = Command::new(program)
            .args(args)
            .current_dir(self.folder.path())
            .env("HOME", self.folder.path())
            .env("DOCKER_CONFIG", self.path("docker"))
            .env("PATH", format!("{}:{path}", self.folder.path().display()))
            .env_remove("XDG_RUNTIME_DIR")
            .output()
            .expect("it starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (text(&output.stdout), text(&output.stderr), output.status.success())
    }

    /// Runs wharf, which must succeed.
    pub(crate) fn wharf(&self, args: &[&str]) -> String {
        let (out, error, fine) = self.run(env!("CARGO_BIN_EXE_wharf"), args);
        assert!(fine, "wharf {}: {out}{error}", args.join(" "));
        out
    }

    /// Runs wharf, which must fail; what it says.
    pub(crate) fn refused(&self, args: &[&str]) -> String {
        let (out, error, fine) = self.run(env!("CARGO_BIN_EXE_wharf"), args);
        assert!(!fine, "wharf {}: {out}{error}", args.join(" "));
        error
    }

    /// Runs Helm, which must succeed.
    fn helm(&self, args: &[&str]) -> String {
        let (out, error, fine) = self.run("helm", args);
        assert!(fine, "helm {}: {out}{error}", args.join(" "));
        out
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Writes docker's configuration.
    fn docker(&self, config: &str) {
        fs::create_dir_all(self.path("docker")).expect("a folder");
        fs::write(self.path("docker/config.json"), config).expect("a file");
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = self.registry.kill();
        let _ = self.registry.wait();
    }
}

fn free() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").to_string()
}

/// The example `shop`, copied so that the files are made in another order at other times.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    let mut entries: Vec<_> = fs::read_dir(from)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    entries.sort_by(|a, b| b.cmp(a));
    for entry in entries {
        let target = to.join(entry.file_name().expect("a name"));
        if entry.is_dir() {
            copy(&entry, &target);
        } else {
            fs::copy(&entry, &target).expect("a copy");
            fs::set_permissions(&target, fs::Permissions::from_mode(0o600)).expect("a mode");
        }
    }
}

fn shop() -> String {
    concat!(env!("CARGO_MANIFEST_DIR"), "/charts-examples/shop").to_owned()
}

/// The one archive in a folder.
fn archive(folder: &Path) -> Vec<u8> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("one").path());
    let [path] = entries.collect::<Vec<_>>().try_into().expect("one archive");
    fs::read(path).expect("it can be read")
}

#[test]
fn a_package_has_the_same_bytes_from_any_copy() {
    let place = Place::own();
    copy(Path::new(&shop()), &place.path("elsewhere"));
    place.wharf(&["package", &shop(), "-d", "a"]);
    place.wharf(&["package", "elsewhere", "-d", "b"]);
    let (a, b) = (archive(&place.path("a")), archive(&place.path("b")));
    assert!(a == b, "{} and {} bytes", a.len(), b.len());
}

#[test]
fn packages_go_through_debians_registry_and_ours() {
    if !has("docker-registry") {
        return;
    }
    for place in [Place::debian(false), Place::own()] {
        let oci = format!("oci://{}/packages", place.address);
        place.wharf(&["package", &shop(), "-d", "made"]);
        let pushed = place.wharf(&["push", &shop(), &oci]);
        assert!(pushed.contains("sha256:"), "{pushed}");
        place.wharf(&["pull", &format!("{oci}/shop"), "-d", "back"]);
        assert!(archive(&place.path("back")) == archive(&place.path("made")), "the bytes pushed");
        assert_eq!(
            place.wharf(&["render", &format!("{oci}/shop"), "--name", "a"]),
            place.wharf(&["render", &shop(), "--name", "a"]),
        );
        let missing = place.refused(&["pull", &format!("{oci}/shop:9.9.9")]);
        assert!(missing.contains("9.9.9"), "{missing}");
    }
}

#[test]
fn helm_and_wharf_pull_what_the_other_pushed() {
    if !has("docker-registry") || !has("helm") {
        return;
    }
    let place = Place::debian(false);
    let oci = format!("oci://{}/charts", place.address);
    place.helm(&["create", "ours"]);
    place.wharf(&["package", "ours", "-d", "made"]);
    place.wharf(&["push", "ours", &oci]);
    let chart = format!("{oci}/ours");
    fs::create_dir(place.path("back")).expect("a folder for Helm");
    place.helm(&["pull", &chart, "--version", "0.1.0", "--plain-http", "-d", "back"]);
    assert!(
        archive(&place.path("back")) == archive(&place.path("made")),
        "Helm pulls what wharf pushed"
    );
    let theirs = place.helm(&["template", "x", &chart, "--version", "0.1.0", "--plain-http"]);
    assert_eq!(place.wharf(&["template", "x", "ours"]), theirs);

    place.helm(&["create", "theirs"]);
    place.helm(&["package", "theirs"]);
    place.helm(&["push", "theirs-0.1.0.tgz", &oci, "--plain-http"]);
    let chart = format!("{oci}/theirs");
    place.wharf(&["pull", &chart, "-d", "other"]);
    assert!(place.bytes("other/theirs-0.1.0.tgz") == place.bytes("theirs-0.1.0.tgz"));
    assert_eq!(place.wharf(&["template", "x", &chart]), place.helm(&["template", "x", "theirs"]),);
}

#[test]
fn credentials_come_from_docker_and_are_kept_for_it() {
    if !has("docker-registry") {
        return;
    }
    let place = Place::debian(true);
    let oci = format!("oci://{}/packages", place.address);
    let push = ["push", &*shop(), &*oci];
    let refused = place.refused(&push);
    assert!(refused.contains("wharf login"), "what to do is told: {refused}");

    // a login as docker writes it
    let auths =
        |login: &str| format!(r#"{{"auths":{{"{}":{{"auth":"{login}"}}}}}}"#, place.address);
    place.docker(&auths(LOGIN));
    place.wharf(&push);
    place.docker(&auths("cm9ib3Q6d3Jvbmc="));
    let wrong = place.refused(&push);
    assert!(!wrong.contains("wrong") && !wrong.contains("cm9ib3Q6"), "{wrong}");

    // a helper, which gets the registry and answers
    let helper = place.path("docker-credential-keeper");
    let script = "#!/bin/sh\nread registry\necho \"$1 $registry\" >> \"$HOME/asked\"\n\
                  echo '{\"Username\":\"robot\",\"Secret\":\"sesame\"}'\n";
    fs::write(&helper, script).expect("a script");
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).expect("a program");
    place.docker(&format!(r#"{{"credHelpers":{{"{}":"keeper"}}}}"#, place.address));
    place.wharf(&push);
    let asked = fs::read_to_string(place.path("asked")).expect("it was asked");
    assert!(asked.starts_with(&format!("get {}\n", place.address)), "{asked}");

    // what wharf keeps is what docker would have kept
    place.docker("{}");
    let mut login = Command::new(env!("CARGO_BIN_EXE_wharf"))
        .args(["login", &place.address, "-u", "robot", "--password-stdin"])
        .env("DOCKER_CONFIG", place.path("docker"))
        .env("HOME", place.folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("wharf starts");
    std::io::Write::write_all(&mut login.stdin.take().expect("it is piped"), b"sesame\n")
        .expect("wharf reads");
    assert!(login.wait().expect("wharf ends").success());
    let kept: serde_json::Value =
        serde_json::from_slice(&place.bytes("docker/config.json")).expect("JSON");
    assert_eq!(kept["auths"][&place.address]["auth"], LOGIN);
    let mode = fs::metadata(place.path("docker/config.json")).expect("it is there").permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
    place.wharf(&push);
    place.wharf(&["logout", &place.address]);
    place.refused(&push);
}
