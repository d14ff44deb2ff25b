//! `wharf apply`: makes it so.

use crate::cli::exit::{FINE, Failure};
use crate::cli::release::{self, Lines, ReleaseArgs};
use crate::cli::ui::Ui;
use crate::deploy;
use crate::plan::{Format, Paint, Saved, is_plan, render, summary};
use crate::schema::Schemas;
use std::io::Write;
use std::time::Duration;

/// Apply a source, or a plan file, and wait until everything is ready.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  wharf apply shop.yaml
  wharf apply shop/ -n prod --create-namespace --atomic
  wharf plan shop.yaml --out shop.plan && wharf apply shop.plan")]
pub struct Args {
    /// The release.
    #[command(flatten)]
    release: ReleaseArgs,
    /// Only show what would be done
    #[arg(long)]
    dry_run: bool,
    /// Put back what was before when it fails
    #[arg(long, conflicts_with = "no_wait")]
    atomic: bool,
    /// Wait until everything is ready (the default)
    #[arg(long, overrides_with = "no_wait")]
    wait: bool,
    /// Do not wait until everything is ready
    #[arg(long)]
    no_wait: bool,
    /// How long to wait
    #[arg(long, default_value = "5m", value_parser = release::duration, value_name = "TIME")]
    timeout: Duration,
    /// So many revisions are kept; 0: all
    #[arg(long, default_value_t = 10, value_name = "NUMBER", env = "HELM_MAX_HISTORY")]
    history_max: usize,
    /// Description of the revision
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
}

/// Applies.
///
/// # Errors
/// When the source has faults, something stands against it, or it does not become ready.
pub fn run(ui: &Ui, args: &Args) -> Result<u8, Failure> {
    ui.block_on(async {
        let client = release::connect(ui).await?;
        let settings = deploy::Settings {
            atomic: args.atomic,
            wait: !args.no_wait,
            timeout: args.timeout,
            history_max: args.history_max,
            description: args.description.clone(),
            ..args.release.settings()
        };
        let planned = std::fs::read_to_string(&args.release.source.source).ok();
        let prepared = match planned.filter(|text| is_plan(text)) {
            Some(text) => {
                let saved = Saved::parse(&text).map_err(Failure::failed)?;
                deploy::check_saved(&client, saved).await.map_err(release::sorted)?
            }
            None => args.release.prepare(ui, &client, &settings).await?,
        };
        release::say_warnings(ui, &client);
        if args.dry_run {
            let paint = if ui.colored() { Paint::Colored } else { Paint::Plain };
            let text = render(&prepared.plan, &Schemas::latest(), Format::Unified, paint);
            let mut out = ui.out();
            out.write_all(text.as_bytes())?;
            out.flush()?;
            ui.say(summary(&prepared.plan));
            return Ok(FINE);
        }
        let name = prepared.intent.name.clone();
        let lines = Lines(ui);
        let outcome = release::interruptible(ui, async |cancel| {
            deploy::execute(&client, prepared, &settings, &lines, cancel).await
        })
        .await;
        release::say_warnings(ui, &client);
        let outcome = outcome?;
        release::say_outcome(ui, &name, &outcome);
        if let Some(notes) = &outcome.notes {
            let mut out = ui.out();
            writeln!(out, "{}", notes.trim_end())?;
            out.flush()?;
        }
        Ok(FINE)
    })
}
