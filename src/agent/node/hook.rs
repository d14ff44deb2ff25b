//! What runs in a container besides its program: hooks and commands of probes; and its stop.

use super::host::Host;
use super::probe::{self, Exec};
use super::start::field_path;
use crate::agent::events::Event;
use crate::agent::runtime::{ExecOptions, ExecRequest, RuntimeError};
use crate::yaml::Node;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// The kubelet leaves so much for the signal even when the hook took all time there was.
const LEAST_GRACE: Duration = Duration::from_secs(2);

/// The way in which probes and hooks run commands in a container.
pub(super) fn exec(host: &Arc<Host>, id: &str) -> Exec {
    let (host, id) = (Arc::clone(host), id.to_owned());
    Arc::new(move |args, limit| {
        let (host, id) = (Arc::clone(&host), id.clone());
        Box::pin(async move {
            let request = ExecRequest { args, ..ExecRequest::default() };
            let options = ExecOptions { timeout: Some(limit), output_limit: 10 << 10 };
            let output = host.runtime.exec(&id, &request, options).await;
            let output = output.map_err(|error| match error {
                RuntimeError::ExecTimeout { seconds, .. } => {
                    format!(
                        "command timed out: {:?} timed out after {seconds}s",
                        request.args.join(" ")
                    )
                }
                error => error.chain(),
            })?;
            let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
            text.push_str(&String::from_utf8_lossy(&output.stderr));
            Ok((output.code, text))
        })
    })
}

/// Runs a lifecycle hook to its end.
pub(super) async fn run(
    host: &Arc<Host>,
    hook: &Node,
    container: &Node,
    id: &str,
    ip: Option<IpAddr>,
) -> Result<(), String> {
    if let Some(seconds) = hook.i64_at(&["sleep", "seconds"]) {
        sleep(Duration::from_secs(seconds.unsigned_abs())).await;
        return Ok(());
    }
    probe::once(hook, container, ip, &exec(host, id)).await
}

/// One container that is to stop.
#[derive(Clone, Debug)]
pub(super) struct Stop {
    pub(super) host: Arc<Host>,
    pub(super) pod: Node,
    pub(super) container: Node,
    pub(super) id: String,
    pub(super) ip: Option<IpAddr>,
}

impl Stop {
    /// Stops it: hook, signal, grace, kill.
    pub(super) async fn run(self, grace: Duration) {
        let began = Instant::now();
        if let Some(hook) = self.container.at(&["lifecycle", "preStop"])
            && !grace.is_zero()
            && let Err(message) = self.before(hook, grace).await
        {
            let event = Event::warning(&self.pod, "FailedPreStopHook", message);
            self.host.tell(event.of_field(field_path(&self.container, "containers")));
        }
        let least = if grace.is_zero() { Duration::ZERO } else { LEAST_GRACE };
        let left = grace.saturating_sub(began.elapsed()).max(least);
        let runtime = &self.host.runtime;
        let own = self.container.str_at(&["lifecycle", "stopSignal"]).map(str::to_owned);
        let of_image = || runtime.container(&self.id)?.spec.labels.get("stopSignal").cloned();
        let signal = own.or_else(of_image);
        if let Err(error) = runtime.stop_container(&self.id, signal.as_deref(), left).await {
            tracing::warn!(id = self.id, error = %error.chain(), "a container could not be stopped");
        }
    }

    async fn before(&self, hook: &Node, grace: Duration) -> Result<(), String> {
        let run = run(&self.host, hook, &self.container, &self.id, self.ip);
        match timeout(grace, run).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(message)) => Err(format!("PreStopHook failed: {message}")),
            Err(_) => Err(format!("PreStopHook did not end within {}s", grace.as_secs())),
        }
    }
}
