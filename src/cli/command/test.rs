//! `wharf test`: runs the tests of what is deployed.

use crate::cli::exit::{FINE, Failure};
use crate::cli::progress::Steps;
use crate::cli::release::{self, Form};
use crate::cli::ui::Ui;
use crate::cluster::Client;
use crate::deploy::{self, TestOptions, Tested};
use crate::yaml::Node;
use std::time::Duration;

/// Run the tests of a release: the hooks that its chart has for that.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  wharf test --release shop
  wharf test --release shop --filter name=shop-answers --logs
  wharf test --release shop --filter '!name=shop-load' --timeout 10m
  wharf test --release shop -o json")]
pub struct Args {
    /// The release
    #[arg(long, value_name = "NAME")]
    release: String,
    /// Only tests of a name, or all but it: `name=NAME`, `!name=NAME`; several with commas
    #[arg(long, value_name = "WHICH", value_delimiter = ',', value_parser = filter)]
    filter: Vec<Filter>,
    /// Show what the tests print
    #[arg(long)]
    logs: bool,
    /// How long each test may take
    #[arg(long, default_value = "5m", value_parser = release::duration, value_name = "TIME")]
    timeout: Duration,
    /// Form of the result: text or json; steps are told on standard error either way
    #[arg(long, short = 'o', value_enum, default_value_t, hide_possible_values = true)]
    output: Form,
}

/// Whether tests of a name are meant, or all others.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Filter {
    name: String,
    out: bool,
}

/// Reads `name=NAME` or `!name=NAME`.
fn filter(text: &str) -> Result<Filter, String> {
    let (text, out) = text.strip_prefix('!').map_or((text, false), |rest| (rest.trim(), true));
    match text.strip_prefix("name=") {
        Some(name) if !name.is_empty() => Ok(Filter { name: name.to_owned(), out }),
        _ => Err("it is neither `name=NAME` nor `!name=NAME`".to_owned()),
    }
}

/// Runs the tests.
///
/// # Errors
/// When there is no such release or test, or a test fails.
pub fn run(ui: &Ui, args: &Args) -> Result<u8, Failure> {
    let names = |out: bool| -> Vec<String> {
        let chosen = args.filter.iter().filter(|filter| filter.out == out);
        chosen.map(|filter| filter.name.clone()).collect()
    };
    let options = TestOptions {
        only: names(false),
        without: names(true),
        logs: args.logs,
        timeout: args.timeout,
    };
    ui.block_on(release::on_each(ui, async |client| {
        let (steps, name) = (Steps::new(ui), &args.release);
        let mut tested = Vec::new();
        let result = release::interruptible(ui, &steps, async |cancel| {
            let namespace = client.namespace();
            deploy::test(&client, namespace, name, &options, &steps, cancel, &mut tested).await
        })
        .await;
        if args.output == Form::Json {
            let document = document(&client, name, &tested);
            let document = match &result {
                Ok(()) => document,
                Err(failure) => release::failed(document, failure),
            };
            release::print_json(ui, &document)?;
        }
        result?;
        match tested.len() {
            0 => ui.say(format_args!("release {name} has no tests")),
            1 => ui.say(format_args!("release {name}: 1 test passed")),
            count => ui.say(format_args!("release {name}: {count} tests passed")),
        }
        Ok(())
    }))?;
    Ok(FINE)
}

fn document(client: &Client, release: &str, tested: &[Tested]) -> Node {
    let mut document = release::about(client);
    document.set("release", release);
    document.set("namespace", client.namespace());
    document.set("status", "passed");
    let tests = tested.iter().map(|Tested { kind, name, run }| {
        let mut node = Node::map();
        node.set("kind", kind.as_str());
        node.set("name", name.as_str());
        node.set("status", if run.succeeded { "passed" } else { "failed" });
        node.set("started", run.started.to_string());
        node.set("completed", run.completed.to_string());
        node
    });
    document.set("tests", tests.collect::<Vec<Node>>());
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_read_as_helm_reads_them() {
        let named = |name: &str, out| Ok(Filter { name: name.to_owned(), out });
        for (text, expected) in [
            ("name=a", named("a", false)),
            ("!name=a", named("a", true)),
            ("! name=a", named("a", true)),
        ] {
            assert_eq!(filter(text), expected, "{text}");
        }
        for text in ["a", "name=", "kind=Pod", ""] {
            assert!(filter(text).is_err(), "{text}");
        }
    }
}
