//! `wharf diff`: what an apply would change.

use crate::cli::exit::{FAILED, FINE, Failure, USAGE};
use crate::cli::release::{self, ReleaseArgs};
use crate::cli::report;
use crate::cli::ui::Ui;
use crate::plan::{Format, Paint, render, summary};
use crate::schema::Schemas;
use std::io::Write;

/// Show what an apply would change; exit code 0: nothing, 1: something, 2: trouble.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  wharf diff shop.yaml\n  wharf diff shop/ --format markdown")]
pub struct Args {
    /// The release.
    #[command(flatten)]
    release: ReleaseArgs,
    /// Form of the output
    #[arg(long, value_enum, default_value_t)]
    format: Form,
}

#[derive(clap::ValueEnum, Debug, Clone, Copy, Default)]
enum Form {
    #[default]
    Unified,
    Json,
    Markdown,
    Html,
}

/// Prints the difference.
///
/// # Errors
/// None but trouble with standard output: others are reported here, with code 2.
pub fn run(ui: &Ui, args: &Args) -> Result<u8, Failure> {
    let prepared = ui.block_on(async {
        let client = release::connect(ui).await?;
        // a namespace that is missing is no trouble for a look
        let mut settings = args.release.settings();
        settings.create_namespace = true;
        let prepared = args.release.prepare(ui, &client, &settings).await;
        release::say_warnings(ui, &client);
        prepared
    });
    let prepared = match prepared {
        Ok(prepared) => prepared,
        Err(failure) => {
            report::report(ui, &failure);
            return Err(Failure::Quiet(USAGE));
        }
    };
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
    ui.say(summary(&prepared.plan));
    Ok(if prepared.plan.is_empty() { FINE } else { FAILED })
}
