//! The tour: from a package to containers that answer, on this machine alone.
//!
//! ```text
//! registry + agent (this process) <── commands of the tour (child processes) ──> their output
//! ```
//!
//! Every step runs the very command that it shows, with this binary, in a temporary folder. The
//! registry and the agent live in this process, so they end with it; pods, network and folder are
//! removed at the end, and also when a step fails or the tour is interrupted.

mod image;
mod node;
mod step;
mod tour;

use super::exit::{FINE, Failure, INTERRUPTED};
use super::ui::Ui;
use crate::oci::registry::Registry;
use miette::MietteDiagnostic;
use node::Node;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Instant;
use step::{Narrator, Stop};

/// Runs the tour.
///
/// # Errors
/// When a step does not do what it should; everything is removed all the same.
pub(crate) fn run(ui: &Ui, keep: bool) -> Result<u8, Failure> {
    let started = Instant::now();
    let folder = tempfile::Builder::new()
        .prefix("wharf-quickstart-")
        .disable_cleanup(keep)
        .tempdir()
        .map_err(|error| failed("make a temporary folder", &error))?;
    let home = folder.path().to_owned();
    let walked = ui.block_on(async { Ok(walk(ui, &home).await) })?;
    let removed = folder.close();
    match walked {
        Ok(()) => {}
        Err(Stop::Interrupted) => {
            ui.say("\nInterrupted. Everything was stopped and removed.");
            return Ok(INTERRUPTED);
        }
        Err(Stop::Failed(failure)) => return Err(failure),
    }
    if !keep {
        removed.map_err(|error| failed(&format!("remove {}", home.display()), &error))?;
    }
    let kept = if keep {
        format!("The files are in {}.", home.display())
    } else {
        "Everything was stopped and removed.".to_owned()
    };
    ui.say(format_args!(
        "\nDone in {:.1} s. {kept}\n\
         Next: `wharf init NAME` makes a package of your own; `wharf --help` lists all commands.",
        started.elapsed().as_secs_f64()
    ));
    Ok(FINE)
}

/// Starts what the tour needs, walks it, and stops what was started.
async fn walk(ui: &Ui, folder: &std::path::Path) -> Result<(), Stop> {
    let mut narrator = Narrator::new(ui, folder.to_owned())?;
    narrator.step(
        "Start a registry and an agent",
        "The registry keeps packages and images. The agent serves the Kubernetes API on this \
         host and runs containers. For the tour both live in this process.",
    );
    narrator.by_hand("wharf registry serve");
    let registry = serve_registry(folder.join("registry")).await?;
    let node = Node::start(folder).await?;
    match &node {
        Some(_) => narrator.by_hand("wharf agent run"),
        None => narrator.remark("There is no agent for this system: it runs on Linux."),
    }
    let hindrance = node.as_ref().and_then(Node::hindrance);
    if let Some(reason) = &hindrance {
        narrator.remark(&format!("Containers cannot run here: {reason}. All else is shown."));
    }
    let walked = tour::walk(&mut narrator, registry, node.as_ref(), hindrance.is_none()).await;
    // what was started is stopped whatever became of the tour
    let stopped = match node {
        Some(node) => node.stop().await,
        None => Ok(()),
    };
    walked?;
    stopped.map_err(Stop::Failed)
}

/// Serves a registry on a free port of the loopback until this process ends.
async fn serve_registry(root: PathBuf) -> Result<SocketAddr, Failure> {
    let cannot = |error: std::io::Error| failed("serve a registry", &error);
    let registry = Registry::open(root).map_err(cannot)?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.map_err(cannot)?;
    let address = listener.local_addr().map_err(cannot)?;
    tokio::spawn(async move { match registry.serve(listener).await {} });
    Ok(address)
}

fn failed(what: &str, error: &dyn std::error::Error) -> Failure {
    Failure::failed(MietteDiagnostic::new(format!("cannot {what}: {error}")))
}
