//! A plan as Markdown, for comments on merge requests, and as an HTML page that needs nothing else.

use super::build::Plan;
use super::view::{diff, heading, summary};
use crate::schema::Schemas;
use std::fmt::Write;

/// A table of what is to be done and a folded diff for each object.
pub(super) fn markdown(plan: &Plan, schemas: &Schemas) -> String {
    let mut text = format!("### wharf: {}\n", summary(plan));
    let acting = || plan.actions.iter().filter(|action| action.change.acts());
    if acting().next().is_none() {
        return text;
    }
    text.push_str("\n| change | object | fields |\n|---|---|---|\n");
    for action in acting() {
        let fields = match action.fields(schemas).len() {
            0 => String::new(),
            count => count.to_string(),
        };
        let _ = writeln!(text, "| {} | `{}` | {fields} |", action.change.as_str(), heading(action));
    }
    for action in acting() {
        let diff = diff(action, schemas);
        // a fence longer than any run of backquotes inside it
        let fence = "`".repeat(longest_run(&diff).max(2) + 1);
        let _ = write!(
            text,
            "\n<details><summary>{} <code>{}</code></summary>\n\n{fence}diff\n{diff}{fence}\n\n</details>\n",
            action.change.as_str(),
            escape(&heading(action)),
        );
    }
    text
}

fn longest_run(text: &str) -> usize {
    let runs = text.split(|c| c != '`').map(str::len);
    runs.max().unwrap_or(0)
}

const STYLE: &str = "body{font:14px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;\
padding:0 1rem;color:#1f2328;background:#fff}summary{cursor:pointer;padding:.3rem 0}\
pre{background:#f6f8fa;padding:.7rem;overflow:auto;border-radius:6px}\
.tag{display:inline-block;min-width:5.5rem;font-weight:600}\
.create{color:#1a7f37}.update,.recreate{color:#9a6700}.delete{color:#cf222e}\
ins{background:#dafbe1;text-decoration:none;display:block}\
del{background:#ffebe9;text-decoration:none;display:block}i{color:#57606a;font-style:normal}\
@media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}pre{background:#161b22}\
ins{background:#12361f}del{background:#42191b}}";

/// One page: a heading and a foldable diff for each object.
pub(super) fn html(plan: &Plan, schemas: &Schemas) -> String {
    let title = escape(&summary(plan));
    let mut text = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>wharf: {title}</title>\
         <style>{STYLE}</style></head><body>\n<h1>{title}</h1>\n"
    );
    for action in plan.actions.iter().filter(|action| action.change.acts()) {
        let change = action.change.as_str();
        let _ = write!(
            text,
            "<details open><summary><span class=\"tag {change}\">{change}</span> <code>{}</code>\
             </summary>\n<pre>",
            escape(&heading(action)),
        );
        for line in diff(action, schemas).lines().skip(2) {
            let line = escape(line);
            let _ = match line.as_bytes().first() {
                Some(b'+') => write!(text, "<ins>{line}</ins>"),
                Some(b'-') => write!(text, "<del>{line}</del>"),
                Some(b'@') => writeln!(text, "<i>{line}</i>"),
                _ => writeln!(text, "{line}"),
            };
        }
        text.push_str("</pre></details>\n");
    }
    text.push_str("</body></html>\n");
    text
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
