//! What a command shows while it works: a bar on a terminal, which is gone when it is done; plain
//! lines in a pipe.

use super::{Host, Run, run};
use crate::prerequisites::has;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;
use wharf::oci::registry::Registry;

/// A registry behind a slow line: so much comes through at a time, and then nothing for a while.
const PORTION: usize = 64 << 10;
const PAUSE: Duration = Duration::from_millis(10);

/// Large enough that it takes some time over the slow line.
const CARGO: usize = 3 << 20;

impl Host {
    /// Runs a command on a terminal of 100 columns; everything that it wrote there.
    fn on_terminal(&self, args: &[&str]) -> String {
        let quoted: Vec<String> = args.iter().map(|arg| format!("'{arg}'")).collect();
        let line = format!("stty cols 100 rows 30; exec '{}' {}", wharf(), quoted.join(" "));
        let command = self.command(&[]);
        let mut script = std::process::Command::new("script");
        script.args(["-qec", &line, "/dev/null"]).env("TERM", "xterm-256color");
        script.envs(command.get_envs().filter_map(|(key, value)| Some((key, value?))));
        script.current_dir(self.folder.path()).stdin(std::process::Stdio::null());
        let output = script.output().expect("script runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

fn wharf() -> &'static str {
    env!("CARGO_BIN_EXE_wharf")
}

/// What stands on a terminal in the end, after all moves of the cursor.
fn screen(written: &str) -> String {
    let mut lines: Vec<Vec<char>> = vec![Vec::new()];
    let (mut row, mut column) = (0, 0);
    let mut rest = written.chars();
    while let Some(character) = rest.next() {
        match character {
            '\r' => column = 0,
            '\n' => row += 1,
            '\x1b' => {
                assert_eq!(rest.next(), Some('['), "a sequence of another kind: {written:?}");
                let mut number = String::new();
                let kind = loop {
                    match rest.next().expect("a sequence ends") {
                        part @ ('0'..='9' | ';' | '?') => number.push(part),
                        kind => break kind,
                    }
                };
                let count = number.parse().unwrap_or(1);
                match kind {
                    'A' => row -= count.min(row),
                    'B' => row += count,
                    'C' => column += count,
                    'D' => column -= count.min(column),
                    'G' => column = count - 1,
                    'K' if number == "2" => lines[row].clear(),
                    'K' => lines[row].truncate(column),
                    'J' => {
                        lines[row].truncate(column);
                        lines.truncate(row + 1);
                    }
                    // colours, and whether the cursor is seen
                    'm' | 'h' | 'l' => {}
                    other => panic!("`{other}` moves somewhere: {written:?}"),
                }
            }
            other => {
                let line = &mut lines[row];
                line.resize(line.len().max(column + 1), ' ');
                line[column] = other;
                column += 1;
            }
        }
        while lines.len() <= row {
            lines.push(Vec::new());
        }
    }
    let lines = lines.into_iter().map(|line| line.into_iter().collect::<String>());
    lines.map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n").trim_end().into()
}

/// Fails when a pipe got anything but lines of text.
#[track_caller]
fn is_plain(run: &Run) {
    let control = |text: &str| text.chars().any(|c| c.is_control() && c != '\n');
    assert!(!control(&run.out) && !control(&run.err), "{run:#?}");
}

/// Lets everything through to an address, but slowly; its own address.
fn slow_line(to: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = TcpStream::connect(&to).expect("the registry listens");
            let ways = [
                (client.try_clone().expect("a socket"), server.try_clone().expect("a socket")),
                (server, client),
            ];
            for (mut from, mut to) in ways {
                std::thread::spawn(move || {
                    let mut portion = vec![0; PORTION];
                    while let Ok(count @ 1..) = from.read(&mut portion) {
                        if to.write_all(&portion[..count]).is_err() {
                            break;
                        }
                        std::thread::sleep(PAUSE);
                    }
                    // who is gone already needs not be told
                    let _ = to.shutdown(std::net::Shutdown::Write);
                });
            }
        }
    });
    address
}

#[test]
fn packages_on_their_way_are_shown_on_a_terminal_alone() {
    if !has("script") {
        return;
    }
    let host = Host::start();
    let threads = tokio::runtime::Runtime::new().expect("threads");
    let registry = threads.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        tokio::spawn(Registry::open(host.path("registry")).expect("a folder").serve(listener));
        address
    });
    let registry = slow_line(registry);
    host.write(
        "big/Package.yaml",
        "apiVersion: wharf.dev/v1\nkind: Package\nname: big\nversion: 1.0.0\n",
    );
    host.write("big/templates/a.yaml", "kind: ConfigMap\napiVersion: v1\nmetadata: {name: a}\n");
    // what cannot be made smaller
    let mut cargo = vec![0; CARGO];
    aws_lc_rs::rand::fill(&mut cargo).expect("random bytes");
    std::fs::create_dir_all(host.path("big/files")).expect("a folder");
    std::fs::write(host.path("big/files/cargo"), cargo).expect("a file");

    let place = format!("oci://{registry}/packages");
    let full = format!("{place}/big:1.0.0");
    for args in [["push", "big", place.as_str()].as_slice(), &["pull", &full, "-d", "there"]] {
        let written = host.on_terminal(args);
        let shown: Vec<&str> = written.split("/3.00 MiB").collect();
        assert!(shown.len() > 3 && written.contains('█'), "{args:?}: {written:?}");
        let left = screen(&written);
        assert!(!left.contains("MiB") && left.contains("big"), "{args:?}: {left}");
    }
    let again = format!("{place}-again");
    for args in [["push", "big", again.as_str()].as_slice(), &["pull", &full, "-d", "elsewhere"]] {
        let piped = run(host.command(args));
        is_plain(piped.fine());
        assert!(!piped.err.contains("MiB"), "{piped:#?}");
    }
}

#[test]
fn what_an_apply_waits_for_is_shown_under_its_lines() {
    if !has("script") {
        return;
    }
    let host = Host::start();
    host.write("objects.yaml", &format!("{}---\n{}", super::PAIR, super::STUCK));
    let args = ["apply", "objects.yaml", "--name", "shown", "--timeout", "2s"];
    let written = host.on_terminal(&args);
    // the spinner turns while the pod does not become ready
    let turns = written.matches("2/3 Pod default/stuck: ").count();
    assert!(turns > 5, "{turns}: {written:?}");
    let left = screen(&written);
    for object in ["ConfigMap default/settings", "Secret default/login", "Pod default/stuck"] {
        assert!(left.contains(&format!("create    {object}")), "no `{object}` in:\n{left}");
    }
    assert!(!left.contains("2/3"), "the bar is still there:\n{left}");

    let piped = host.run(&args);
    is_plain(&piped);
    assert!(piped.err.contains("waiting   Pod default/stuck"), "{piped:#?}");
    let quiet = screen(&host.on_terminal(&[&args[..], &["--quiet"]].concat()));
    assert!(!quiet.contains("create") && !quiet.contains("waiting"), "{quiet}");
}
