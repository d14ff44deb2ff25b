//! `wharf apply`: makes it so.

use crate::cli::exit::{FINE, Failure};
use crate::cli::progress::Steps;
use crate::cli::release::{self, Form, How, ReleaseArgs};
use crate::cli::source_args::SourceFlags;
use crate::cli::ui::Ui;
use crate::cluster::Client;
use crate::deploy::{self, Outcome, Prepared};
use crate::plan::{Change, Format, Paint, Plan, Saved, is_plan, render, summary};
use crate::schema::Schemas;
use crate::yaml::Node;
use std::io::Write;
use std::time::Duration;

/// Apply a source, or a plan file, and wait until everything is ready.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  wharf apply shop.yaml
  wharf apply shop/ -n prod --create-namespace --atomic
  wharf apply oci://registry.example.com/shop:1.2.0 --target staging --target production
  wharf plan shop.yaml --out shop.plan && wharf apply shop.plan")]
pub struct Args {
    /// The release.
    #[command(flatten)]
    release: ReleaseArgs,
    /// Only show what would be done
    #[arg(long)]
    dry_run: bool,
    /// Put back what was before when it fails; a first release is removed
    #[arg(long, visible_alias = "rollback-on-failure", conflicts_with = "no_wait")]
    atomic: bool,
    /// Wait until everything is ready (the default)
    #[arg(long, overrides_with = "no_wait")]
    wait: bool,
    /// Do not wait until everything is ready
    #[arg(long)]
    no_wait: bool,
    /// Wait until Jobs are complete, too: without it, until they have begun
    #[arg(long, conflicts_with = "no_wait")]
    wait_for_jobs: bool,
    /// How long to wait
    #[arg(long, default_value = "5m", value_parser = release::duration, value_name = "TIME")]
    timeout: Duration,
    /// So many revisions are kept; 0: all
    #[arg(long, default_value_t = 10, value_name = "NUMBER", env = "HELM_MAX_HISTORY")]
    history_max: usize,
    /// Description of the revision
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Form of the result: text or json; steps are told on standard error either way
    #[arg(long, short = 'o', value_enum, default_value_t, hide_possible_values = true)]
    output: Form,
}

/// Applies.
///
/// # Errors
/// When the source has faults, something stands against it, or it does not become ready.
pub fn run(ui: &Ui, args: &Args) -> Result<u8, Failure> {
    ui.block_on(async {
        args.release
            .on_each(ui, async |client| match args.output {
                Form::Text => apply(ui, args, &client).await.map(drop),
                Form::Json => {
                    let result = apply(ui, args, &client).await;
                    let document = match &result {
                        Ok(document) => document.clone(),
                        Err(failure) => release::failed(release::about(&client), failure),
                    };
                    release::print_json(ui, &document)?;
                    result.map(drop)
                }
            })
            .await?;
        Ok(FINE)
    })
}

/// Applies to one target; gives what came of it as a document.
async fn apply(ui: &Ui, args: &Args, client: &Client) -> Result<Node, Failure> {
    let settings = deploy::Settings {
        atomic: args.atomic,
        wait: !args.no_wait,
        wait_for_jobs: args.wait_for_jobs,
        timeout: args.timeout,
        history_max: args.history_max,
        description: args.description.clone(),
        ..args.release.settings()
    };
    let prepared = match planned(ui, args)? {
        Some(saved) => deploy::check_saved(client, saved).await.map_err(release::sorted)?,
        None => args.release.prepare(ui, client, &settings).await?,
    };
    release::say_warnings(ui, client);
    let Prepared { intent, plan, .. } = &prepared;
    let mut document = release::about(client);
    document.set("release", intent.name.as_str());
    document.set("namespace", intent.namespace.as_str());
    document.set("objects", objects(plan));
    if args.dry_run {
        if args.output == Form::Text {
            show(ui, plan)?;
        }
        release::say_hooks(ui, &prepared);
        ui.say(summary(plan));
        document.set("status", "dry-run");
        return Ok(document);
    }
    let name = intent.name.clone();
    let steps = Steps::new(ui);
    let outcome = release::interruptible(ui, &steps, async |cancel| {
        deploy::execute(client, prepared, &settings, &steps, cancel).await
    })
    .await;
    release::say_warnings(ui, client);
    let outcome = outcome?;
    release::say_outcome(ui, &name, &outcome);
    if let (Form::Text, Some(notes)) = (args.output, &outcome.notes) {
        let mut out = ui.out();
        writeln!(out, "{}", notes.trim_end())?;
        out.flush()?;
    }
    finish(&mut document, &outcome);
    Ok(document)
}

/// The plan in a file, when the source is one. It is carried out as it is, so nothing may be asked
/// for that would change it.
fn planned(ui: &Ui, args: &Args) -> Result<Option<Saved>, Failure> {
    let source = &args.release.source;
    let text = std::fs::read_to_string(&source.source).ok().filter(|text| is_plan(text));
    let Some(text) = text else { return Ok(None) };
    let saved = Saved::parse(&text).map_err(Failure::failed)?;
    let elsewhere = ui.global.namespace.as_ref().is_some_and(|n| *n != saved.intent.namespace);
    if source.flags != SourceFlags::default() || args.release.how != How::default() || elsewhere {
        return Err(Failure::Usage(format!(
            "`{}` is a plan and is carried out as it is; give flags about the source, its \
             namespace and how it is applied to `wharf plan`",
            source.source
        )));
    }
    Ok(Some(saved))
}

fn show(ui: &Ui, plan: &Plan) -> Result<(), Failure> {
    let paint = if ui.colored() { Paint::Colored } else { Paint::Plain };
    let text = render(plan, &Schemas::latest(), Format::Unified, paint);
    let mut out = ui.out();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

fn objects(plan: &Plan) -> Vec<Node> {
    let changing = plan.actions.iter().filter(|action| action.change != Change::Unchanged);
    changing
        .map(|action| {
            let mut node = Node::map();
            node.set("change", action.change.as_str());
            node.set("apiVersion", action.id.gvk.api_version());
            node.set("kind", action.id.gvk.kind.clone());
            if !action.id.namespace.is_empty() {
                node.set("namespace", action.id.namespace.clone());
            }
            node.set("name", action.id.name.clone());
            node
        })
        .collect()
}

fn finish(document: &mut Node, outcome: &Outcome) {
    document.set("status", "deployed");
    document.set("revision", outcome.revision);
    document.set("changed", outcome.changed);
    document.set("summary", outcome.counts.to_node());
    if let Some(notes) = &outcome.notes {
        document.set("notes", notes.as_str());
    }
}
