//! `wharf diff`: what an apply would change.

use crate::cli::exit::{FAILED, FINE, Failure, USAGE};
use crate::cli::release::{self, ReleaseArgs};
use crate::cli::report;
use crate::cli::ui::Ui;
use crate::cluster::Client;
use crate::plan::{Format, Paint, render, summary};
use crate::schema::Schemas;
use std::io::Write;

/// Show what an apply would change; exit code 0: nothing, 1: something, 2: trouble.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  wharf diff shop.yaml
  wharf diff shop/ --format markdown
  wharf diff shop/ --target staging --target production")]
pub struct Args {
    /// The release.
    #[command(flatten)]
    release: ReleaseArgs,
    /// Form of the output: unified (a diff of YAML for each object), json (each changed field),
    /// markdown (for a comment on a merge request), or html (one page)
    #[arg(long, value_enum, default_value_t, hide_possible_values = true)]
    format: Form,
}

#[derive(clap::ValueEnum, Debug, Clone, Copy, Default)]
enum Form {
    /// A unified diff of YAML for each object
    #[default]
    Unified,
    /// Each changed field
    Json,
    /// For a comment on a merge request
    Markdown,
    /// A page that needs nothing else
    Html,
}

/// Prints the difference.
///
/// # Errors
/// None but trouble with standard output: others are reported here, with code 2.
pub fn run(ui: &Ui, args: &Args) -> Result<u8, Failure> {
    let differs =
        ui.block_on(args.release.on_each(ui, async |client| diff(ui, args, &client).await));
    match differs {
        Ok(differs) => Ok(if differs.contains(&true) { FAILED } else { FINE }),
        Err(quiet @ Failure::Quiet(_)) => Err(quiet),
        Err(failure) => {
            report::report(ui, &failure);
            Err(Failure::Quiet(USAGE))
        }
    }
}

/// Prints the difference to one target; true when there is one.
async fn diff(ui: &Ui, args: &Args, client: &Client) -> Result<bool, Failure> {
    // a namespace that is missing is no trouble for a look
    let mut settings = args.release.settings();
    settings.create_namespace = true;
    let prepared = args.release.prepare(ui, client, &settings).await;
    release::say_warnings(ui, client);
    let prepared = prepared?;
    let format = match args.format {
        Form::Unified => Format::Unified,
        Form::Json => Format::Json,
        Form::Markdown => Format::Markdown,
        Form::Html => Format::Html,
    };
    let paint = if ui.colored() { Paint::Colored } else { Paint::Plain };
    let mut out = ui.out();
    out.write_all(render(&prepared.plan, &Schemas::latest(), format, paint).as_bytes())?;
    out.flush()?;
    release::say_hooks(ui, &prepared);
    ui.say(summary(&prepared.plan));
    if prepared.makes_namespace() && !args.release.how.create_namespace {
        ui.say(format_args!(
            "namespace `{}` does not exist; `wharf apply` makes it with `--create-namespace`",
            prepared.intent.namespace
        ));
    }
    Ok(!prepared.plan.is_empty() || !prepared.hooks().is_empty())
}
