//! Logs, commands, attached clients, connections into pods, and figures.

use super::support::{Host, on_a_host, one_tree};
use futures::StreamExt;
use std::fs;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wharf::agent::runtime::log::{self, LogOptions, Stream};
use wharf::agent::runtime::{ExecOptions, ExecRequest, ExecSession};

fn request(args: &[&str]) -> ExecRequest {
    ExecRequest { args: args.iter().map(|&arg| arg.to_owned()).collect(), ..ExecRequest::default() }
}

async fn text(host: &Host, id: &str, options: LogOptions) -> String {
    let runtime = host.runtime.clone();
    let container = id.to_owned();
    let ended = async move { drop(runtime.wait(&container).await) };
    let stream = log::read(&host.log(id), options, ended).expect("a log");
    let pieces: Vec<_> = stream.map(|piece| piece.expect("a piece")).collect().await;
    String::from_utf8(pieces.concat()).expect("text")
}

#[test]
fn logs_are_put_aside_when_full_and_read_across_files() {
    on_a_host(|host| async move {
        host.sandbox("pod").await;
        let mut spec = host.script("pod", "c", "for i in $(seq 1 2000); do echo line $i; done");
        (spec.log_max_bytes, spec.log_max_files) = (20_000, 3);
        host.run(&spec).await;
        let folder = host.log("c").parent().expect("a folder").to_owned();
        let files: Vec<u64> = fs::read_dir(folder)
            .expect("files")
            .map(|entry| entry.expect("a file").metadata().expect("its size").len())
            .collect();
        assert_eq!(files.len(), 3, "{files:?}");
        assert!(files.iter().all(|&size| size <= 20_000), "{files:?}");
        let all = text(&host, "c", LogOptions::default()).await;
        assert!(all.ends_with("line 1999\nline 2000\n"), "{all}");
        let options = LogOptions { tail: Some(500), ..LogOptions::default() };
        let tail = text(&host, "c", options).await;
        assert_eq!(tail.lines().count(), 500);
        assert!(tail.starts_with("line 1501\n"), "{tail}");
    });
}

#[test]
fn a_log_is_followed_across_files_to_the_end_of_the_container() {
    on_a_host(|host| async move {
        host.sandbox("pod").await;
        let script =
            "for i in $(seq 1 300); do echo line $i; [ $((i % 100)) = 0 ] && sleep 0.1; done";
        let mut spec = host.script("pod", "c", script);
        (spec.log_max_bytes, spec.log_max_files) = (6000, 20);
        host.start(&spec).await;
        let options = LogOptions { follow: true, ..LogOptions::default() };
        let read = tokio::time::timeout(Duration::from_secs(20), text(&host, "c", options));
        let expected = (1..=300).fold(String::new(), |all, n| all + &format!("line {n}\n"));
        assert_eq!(read.await.expect("it ends"), expected);
    });
}

#[test]
fn commands_are_confined_like_their_container() {
    on_a_host(|host| async move {
        host.sandbox("pod").await;
        let mut spec = host.script("pod", "c", "sleep 60");
        spec.user.name = "app".to_owned();
        spec.env = vec![("A".to_owned(), "own".to_owned())];
        spec.security.drop_capabilities = vec!["ALL".to_owned()];
        spec.security.no_new_privileges = true;
        host.start(&spec).await;
        let run = async |args: &[&str]| {
            let options = ExecOptions { timeout: Some(Duration::from_secs(10)), ..<_>::default() };
            host.runtime.exec("c", &request(args), options).await
        };
        let show = "id -u; id -G; echo $A; cat /proc/1/comm; hostname; \
             grep -E 'CapEff|CapBnd|NoNewPrivs|Seccomp:' /proc/self/status; echo bad >&2; exit 6";
        let output = run(&["sh", "-c", show]).await.expect("it runs");
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "1000\n1001 1002\nown\nsleep\npod\nCapEff:\t0000000000000000\n\
             CapBnd:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n"
        );
        assert_eq!((output.code, &output.stderr[..]), (6, &b"bad\n"[..]));
        // it counts as part of the container
        let output = run(&["cat", "/proc/self/cgroup"]).await.expect("it runs");
        let groups = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            if one_tree() {
                // the top of what a container sees is its own
                groups == "0::/\n"
            } else {
                groups.lines().any(|line| line.contains("pids") && line.ends_with("/pod/c"))
            },
            "{groups}"
        );
        let fault = run(&["nothere"]).await.expect_err("no such program");
        assert!(
            fault.to_string().starts_with(
                "cannot run `nothere` in container `c`: executable `nothere` is not in $PATH"
            ),
            "{fault}"
        );
        assert_eq!(run(&["sh", "-c", "exit 255"]).await.expect("it runs").code, 255);
        assert_eq!(run(&["sh", "-c", "kill -9 $$"]).await.expect("it runs").code, 137);
        let options = ExecOptions { timeout: Some(Duration::from_millis(200)), ..<_>::default() };
        let sleep = request(&["sleep", "50"]);
        let fault = host.runtime.exec("c", &sleep, options).await.expect_err("too slow");
        assert_eq!(fault.to_string(), "`sleep` in container `c` did not end within 0.2 s");
        host.eventually("the command is killed", || {
            host.processes("c").iter().all(|command| !command.contains("sleep\u{0}50"))
        })
        .await;
        host.runtime.stop_container("c", None, Duration::ZERO).await.expect("it stops");
        let fault = run(&["true"]).await.expect_err("it does not run");
        assert_eq!(fault.to_string(), "container `c` does not run");
    });
}

#[test]
fn a_command_has_streams_and_ends_with_its_input() {
    on_a_host(|host| async move {
        host.sandbox("pod").await;
        host.start(&host.script("pod", "c", "sleep 60")).await;
        let cat =
            ExecRequest { stdin: true, ..request(&["sh", "-c", "cat; echo over >&2; exit 2"]) };
        let mut session = host.runtime.exec_stream("c", &cat).await.expect("it runs");
        let big = vec![b'x'; 1 << 20];
        let mut stdin = session.stdin.take().expect("an input");
        let sent = big.clone();
        let writer = tokio::spawn(async move {
            stdin.write_all(&sent).await.expect("it takes all");
        });
        let (mut output, mut errors) = (Vec::new(), String::new());
        let mut stdout = session.stdout.take().expect("an output");
        stdout.read_to_end(&mut output).await.expect("output");
        let mut stderr = session.stderr.take().expect("error output");
        stderr.read_to_string(&mut errors).await.expect("error output");
        writer.await.expect("written");
        assert_eq!((output == big, errors.as_str()), (true, "over\n"));
        assert_eq!(session.wait().await.expect("a code"), 2);
        // without an input it is at its end at once
        let mut session = host.runtime.exec_stream("c", &request(&["cat"])).await.expect("it runs");
        assert!(session.stdin.is_none());
        assert_eq!(session.wait().await.expect("a code"), 0);
        let fault =
            host.runtime.exec_stream("c", &request(&["nothere"])).await.expect_err("absent");
        assert!(fault.to_string().contains("`nothere` is not in $PATH"), "{fault}");
    });
}

#[test]
fn a_command_runs_on_a_terminal_of_a_size() {
    on_a_host(|host| async move {
        host.sandbox("pod").await;
        host.start(&host.script("pod", "c", "sleep 60")).await;
        let shell = ExecRequest { tty: true, ..request(&["sh"]) };
        let mut session = host.runtime.exec_stream("c", &shell).await.expect("it runs");
        session.resize(123, 45);
        type_in(&mut session, "tty; stty size; echo $TERM; exit 3\n").await;
        let mut output = String::new();
        let mut stdout = session.stdout.take().expect("an output");
        stdout.read_to_string(&mut output).await.expect("output");
        assert!(output.contains("/dev/pts/0\r\n45 123\r\nxterm\r\n"), "{output:?}");
        assert_eq!(session.wait().await.expect("a code"), 3);
        let absent = ExecRequest { tty: true, ..request(&["nothere"]) };
        let fault = host.runtime.exec_stream("c", &absent).await.expect_err("absent");
        assert!(fault.to_string().contains("`nothere` is not in $PATH"), "{fault}");
        // leaving ends it
        let session = host.runtime.exec_stream("c", &shell).await.expect("it runs");
        drop(session);
        host.eventually("the shell is killed", || host.processes("c").len() == 1).await;
    });
}

async fn type_in(session: &mut ExecSession, text: &str) {
    let stdin = session.stdin.as_mut().expect("an input");
    stdin.write_all(text.as_bytes()).await.expect("it takes all");
}

#[test]
fn clients_attach_to_a_running_container() {
    on_a_host(|host| async move {
        host.sandbox("pod").await;
        let script = "while read line; do echo got $line; echo err $line >&2; done; exit 8";
        let mut spec = host.script("pod", "c", script);
        (spec.stdin, spec.stdin_once) = (true, true);
        host.start(&spec).await;
        let mut first = host.runtime.attach("c").await.expect("attached");
        let mut second = host.runtime.attach("c").await.expect("attached");
        // the shim knows a client when it has read its request
        tokio::time::sleep(Duration::from_millis(100)).await;
        first.input.write_all(b"one\n").await.expect("sent");
        for session in [&mut first, &mut second] {
            let mut seen = vec![next(session).await, next(session).await];
            seen.sort_by_key(|(stream, _)| *stream == Stream::Stderr);
            assert_eq!(
                seen,
                [
                    (Stream::Stdout, "got one\n".to_owned()),
                    (Stream::Stderr, "err one\n".to_owned())
                ]
            );
        }
        drop(second);
        first.input.shutdown().await.expect("ended");
        assert_eq!(host.runtime.wait("c").await.expect("it ends").code, 8);
        assert_eq!(first.output.next().await.expect("the end"), None);
        assert_eq!(host.output("c").lines().count(), 2, "the log has it as well");
    });
}

async fn next(session: &mut wharf::agent::runtime::AttachSession) -> (Stream, String) {
    let wait = tokio::time::timeout(Duration::from_secs(10), session.output.next());
    let (stream, bytes) = wait.await.expect("in time").expect("output").expect("not the end");
    (stream, String::from_utf8_lossy(&bytes).into_owned())
}

#[test]
fn a_container_on_a_terminal_is_attached_and_resized() {
    on_a_host(|host| async move {
        host.sandbox("pod").await;
        let mut spec = host.script("pod", "c", "tty; read x; stty size; exit 2");
        (spec.stdin, spec.tty) = (true, true);
        host.start(&spec).await;
        host.runtime.resize("c", 99, 33).await.expect("resized");
        let mut session = host.runtime.attach("c").await.expect("attached");
        session.input.write_all(b"x\n").await.expect("sent");
        assert_eq!(host.runtime.wait("c").await.expect("it ends").code, 2);
        let output = host.output("c");
        assert!(output.contains("33 99"), "{output}");
        assert!(output.contains("/dev/console") || output.contains("/dev/pts/"), "{output}");
    });
}

#[test]
fn a_client_that_reads_late_gets_everything() {
    on_a_host(|host| async move {
        host.sandbox("pod").await;
        let script = "read x; head -c 1000000 /dev/zero; echo; echo end";
        let mut spec = host.script("pod", "c", script);
        spec.stdin = true;
        host.start(&spec).await;
        let mut session = host.runtime.attach("c").await.expect("attached");
        tokio::time::sleep(Duration::from_millis(100)).await;
        session.input.write_all(b"go\n").await.expect("sent");
        tokio::time::sleep(Duration::from_millis(300)).await;
        let mut all = Vec::new();
        while let Some((_, bytes)) = session.output.next().await.expect("output") {
            all.extend_from_slice(&bytes);
        }
        assert_eq!(all.len(), 1_000_005);
        assert!(all.ends_with(b"\nend\n"));
    });
}

#[test]
fn ports_of_a_pod_s_own_loopback_are_reached() {
    on_a_host(|host| async move {
        host.sandbox("pod").await;
        let script = "exec httpd -f -p 127.0.0.1:8080 -h /etc";
        host.start(&host.script("pod", "c", script)).await;
        let mut stream = host
            .retry(|| host.runtime.connect("pod", 8080))
            .await
            .expect("a connection to the pod's loopback");
        stream.write_all(b"GET /group HTTP/1.0\r\n\r\n").await.expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        assert!(answer.contains("extra:x:1002:app"), "{answer}");
        let fault = host.runtime.connect("pod", 81).await.expect_err("nobody listens");
        assert_eq!(
            fault.chain(),
            "network: cannot connect to port 81 in pod pod: Connection refused (os error 111)"
        );
    });
}

#[test]
fn figures_of_a_container() {
    on_a_host(|host| async move {
        host.sandbox("pod").await;
        host.start(&host.script("pod", "c", "while :; do :; done")).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let usage = host.runtime.stats("c").expect("figures");
        assert!(usage.cpu_nanoseconds > 10_000_000, "{usage:?}");
        assert!(usage.memory_bytes > 0 && usage.working_set_bytes <= usage.memory_bytes);
        assert_eq!(usage.pids, 1);
    });
}
