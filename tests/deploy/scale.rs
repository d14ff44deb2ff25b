//! Five hundred objects, and what tests share that start servers.

use super::Host;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

/// A ConfigMap among many.
pub(super) fn config(number: usize, text: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c-{number:03}, labels: {{app: many}}}}\n\
         data: {{text: '{text}', number: '{number}', more: '{}'}}\n",
        "x".repeat(200)
    )
}

/// A server that ends with the test.
pub(crate) struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a server that says `… on ADDRESS`; gives its address.
pub(super) fn serving(mut command: Command) -> (Server, String) {
    let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
    let mut line = String::new();
    let out = child.stdout.take().expect("it is piped");
    BufReader::new(out).read_line(&mut line).expect("a line");
    let address = line.trim().rsplit(' ').next().unwrap_or_default().to_owned();
    (Server(child), address)
}

#[test]
fn five_hundred_objects_are_applied_in_order_and_found_unchanged() {
    let host = Host::start();
    let source = |text: &str| (0..500).map(|n| config(n, text)).collect::<String>();
    host.write("many.yaml", &source("a"));
    let mut took = Vec::new();
    let mut timed = |args: &[&str]| {
        let started = Instant::now();
        let run = host.run(args);
        took.push(format!("{} {} ms", args[0], started.elapsed().as_millis()));
        run
    };
    let applied = timed(&["apply", "many.yaml"]);
    let lines: Vec<&str> = applied.fine().err.lines().collect();
    assert_eq!(lines.len(), 501);
    assert!(lines.is_sorted(), "steps are told in the plan's order");
    assert_eq!(lines[500], "release many revision 1: 500 created");
    timed(&["diff", "many.yaml"]).says(0, "", "500 unchanged\n");
    host.write("many.yaml", &source("b"));
    assert!(timed(&["apply", "many.yaml"]).fine().err.ends_with("2: 500 updated\n"));
    assert!(timed(&["uninstall", "many"]).fine().err.ends_with("removed: 500 deleted\n"));
    eprintln!("{}", took.join(", "));
}
