//! What a pod costs: time to start and stop, and memory of the process beside it.
//!
//! Prints its figures. The limits are wide, since other tests run at the same time.

use super::support::on_a_host;
use std::fs;
use std::time::{Duration, Instant};

const RUNS: usize = 20;

#[test]
fn a_pod_starts_and_goes_at_once() {
    on_a_host(|host| async move {
        let (mut made, mut started, mut stopped, mut gone) = (vec![], vec![], vec![], vec![]);
        for run in 0..RUNS {
            let id = format!("pod-{run}");
            made.push(timed(host.sandbox(&id)).await);
            let spec = host.script(&id, &format!("c-{run}"), "trap exit TERM; sleep 60 & wait");
            started.push(timed(host.start(&spec)).await);
            // until the shell has set its trap
            tokio::time::sleep(Duration::from_millis(20)).await;
            let stop = host.runtime.stop_container(&spec.id, None, Duration::from_secs(5));
            stopped.push(timed(async { stop.await.expect("it stops") }).await);
            let remove = host.runtime.remove_sandbox(&id);
            gone.push(timed(async { remove.await.expect("it goes") }).await);
        }
        let (made, started) = (median(made), median(started));
        let (stopped, gone) = (median(stopped), median(gone));
        eprintln!(
            "median of {RUNS}: sandbox {made:.1?}, container {started:.1?}, stop {stopped:.1?}, \
             removal {gone:.1?}"
        );
        assert!(made + started < Duration::from_secs(1), "{made:?} and {started:?}");
    });
}

#[test]
fn the_process_beside_a_container_is_small() {
    on_a_host(|host| async move {
        host.sandbox("pod").await;
        host.start(&host.script("pod", "c", "sleep 60")).await;
        let shim = host.shim("c").as_raw_nonzero();
        let text = fs::read_to_string(format!("/proc/{shim}/smaps_rollup")).expect("its memory");
        let kilobytes = |key: &str| -> u64 {
            let line = text.lines().find(|line| line.starts_with(key)).expect("the line");
            line.split_whitespace().nth(1).expect("a figure").parse().expect("a number")
        };
        let own = kilobytes("Anonymous:") + kilobytes("Swap:");
        eprintln!(
            "a shim: {} KiB resident, {} KiB proportional, {own} KiB of its own",
            kilobytes("Rss:"),
            kilobytes("Pss:")
        );
        assert!(own < 16 << 10, "{text}");
    });
}

async fn timed(work: impl Future<Output = impl Sized>) -> Duration {
    let begin = Instant::now();
    work.await;
    begin.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
