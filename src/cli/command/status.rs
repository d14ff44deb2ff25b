//! `wharf status`: a release and the readiness of its objects.

use crate::cli::exit::{FAILED, FINE, Failure};
use crate::cli::release;
use crate::cli::table::{Output, as_text, listed, seconds};
use crate::cli::ui::Ui;
use crate::cluster::Client;
use crate::deploy;
use crate::object::ObjectId;
use crate::object::status::{Readiness, State};
use crate::release::{Record, Store};
use crate::yaml::Node;
use std::io::Write;

/// Objects whose causes are looked up.
const EXPLAINED: usize = 10;

/// Show a release and how its objects are; exit code 1 when one has failed or is missing.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  wharf status shop")]
pub struct Args {
    /// The release
    release: String,
    /// Form of the output
    #[arg(long, short = 'o', value_enum, default_value_t)]
    output: Output,
}

/// An object of the release, and what keeps it from being ready.
struct Object {
    id: ObjectId,
    readiness: Readiness,
    cause: Vec<String>,
}

/// Prints the objects with their readiness.
///
/// # Errors
/// When there is no such release, or the cluster cannot be reached or refuses.
pub fn run(ui: &Ui, args: &Args) -> Result<u8, Failure> {
    let fine = ui.block_on(release::on_each(ui, async |client| {
        let (record, objects) = look(&client, &args.release).await?;
        let text = match args.output {
            Output::Table => table(&record, &objects),
            output => as_text(&document(&record, &objects), output),
        };
        let mut out = ui.out();
        out.write_all(text.as_bytes())?;
        out.flush()?;
        let bad =
            |object: &Object| matches!(object.readiness.state, State::Failed | State::Missing);
        Ok(!objects.iter().any(bad))
    }))?;
    Ok(if fine.contains(&false) { FAILED } else { FINE })
}

async fn look(client: &Client, release: &str) -> Result<(Record, Vec<Object>), Failure> {
    let store = Store::new(client.clone(), client.namespace());
    let history = store.existing(release).await.map_err(release::recorded)?;
    let record = history.last().expect("an existing release has a revision").clone();
    let ids = deploy::owned(client, &record).await.map_err(release::sorted)?;
    let seen = deploy::observe_once(client, &ids).await.map_err(release::sorted)?;
    let mut objects = Vec::with_capacity(seen.len());
    let mut explained = 0;
    for (id, readiness, _) in seen {
        let mut cause = Vec::new();
        if !readiness.is_ready() && readiness.state != State::Missing && explained < EXPLAINED {
            cause = deploy::explain(client, &id, &readiness).await.cause;
            explained += 1;
        }
        objects.push(Object { id, readiness, cause });
    }
    Ok((record, objects))
}

fn table(record: &Record, objects: &[Object]) -> String {
    use std::fmt::Write;
    let mut text = String::new();
    let chart = record.chart();
    let description = record.description().lines().next().unwrap_or_default();
    for (key, value) in [
        ("name", record.name()),
        ("namespace", record.namespace()),
        ("revision", &record.version().to_string()),
        ("status", record.status().as_str()),
        ("updated", &seconds(record.last_deployed())),
        ("package", &chart.to_string()),
        ("description", description),
    ] {
        let _ = writeln!(text, "{:<13}{value}", format!("{key}:"));
    }
    if !objects.is_empty() {
        let rows = objects.iter().map(|object| {
            vec![
                Node::from(object.id.to_string()),
                Node::from(object.readiness.state.to_string()),
                Node::from(object.readiness.message.as_str()),
            ]
        });
        text.push('\n');
        let keys = ["object", "state", "message"];
        text += &listed(&keys, &rows.collect::<Vec<_>>(), Output::Table);
    }
    for object in objects.iter().filter(|object| !object.cause.is_empty()) {
        let _ = writeln!(text, "\n{}:", object.id);
        for line in &object.cause {
            let _ = writeln!(text, "  {line}");
        }
    }
    if let Some(notes) = record.notes() {
        let _ = writeln!(text, "\n{}", notes.trim_end());
    }
    text
}

fn document(record: &Record, objects: &[Object]) -> Node {
    let mut node = Node::map();
    let chart = record.chart();
    for (key, value) in [
        ("name", record.name()),
        ("namespace", record.namespace()),
        ("status", record.status().as_str()),
        ("updated", record.last_deployed()),
        ("chart", &chart.to_string()),
        ("app_version", &chart.app_version),
        ("description", record.description()),
    ] {
        node.set(key, value);
    }
    node.set("revision", record.version());
    let objects = objects.iter().map(|object| {
        let mut node = Node::map();
        node.set("apiVersion", object.id.gvk.api_version());
        node.set("kind", object.id.gvk.kind.clone());
        if !object.id.namespace.is_empty() {
            node.set("namespace", object.id.namespace.clone());
        }
        node.set("name", object.id.name.clone());
        node.set("state", object.readiness.state.to_string());
        node.set("message", object.readiness.message.as_str());
        if !object.cause.is_empty() {
            node.set(
                "cause",
                object.cause.iter().map(|l| Node::from(l.as_str())).collect::<Vec<_>>(),
            );
        }
        node
    });
    node.set("objects", objects.collect::<Vec<Node>>());
    if let Some(notes) = record.notes() {
        node.set("notes", notes);
    }
    node
}
