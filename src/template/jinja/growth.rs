//! Keeps values from growing without end.
//!
//! Steps bound what a template does, and its output what it prints, but a value that doubles each
//! time it is set fills all memory within forty steps. So whatever gets a name is weighed: by
//! `{% set %}`, `{% with %}`, `{% for %}`, or as a parameter of a macro. What `~`, `+` and `*` put
//! together is counted, and filters and methods whose result can be far larger than what they are
//! given are reckoned before they run.

use super::trace;
use super::value;
use crate::base::diag::Diagnostic;
use minijinja::value::{Rest, Value, ValueKind, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, State, filters};

/// Bytes, about, that one named value may have.
const LARGEST: usize = 16 << 20;

/// Bytes, about, that all values named by one template may have together.
const TOGETHER: usize = 1 << 30;

/// Bytes, about, that `~`, `+` and `*` may put together in one template.
const JOINED: usize = 64 << 20;

/// What `*` makes is counted from so many bytes on: what is smaller and printed counts as output.
const LARGE_PRODUCT: usize = 16 << 10;

/// Filters that are reckoned.
const RECKONED: &[&str] = &["batch", "format", "indent", "join", "replace", "slice"];

/// Adds what keeps values small.
pub(super) fn install(env: &mut Environment<'_>) {
    env.add_filter("__held", |held: Value| hold(&held).map(|()| held));
    env.add_filter("__bounded", |value: Value| weight(&value).map(|_| value));
    env.add_filter("__part", |part: Value| join(&part).map(|()| part));
    env.add_filter("__product", |product: Value| multiply(&product).map(|()| product));
    env.add_function("__enter", |parameters: Rest<Value>| enter(&parameters));
    env.add_function("__leave", trace::leave);
    env.add_filter("__batch", filters::batch);
    env.add_filter("__format", filters::format);
    env.add_filter("__indent", filters::indent);
    env.add_filter("__join", filters::join);
    env.add_filter("__replace", filters::replace);
    env.add_filter("__slice", filters::slice);
    for name in RECKONED {
        env.add_filter(*name, move |state: &mut State, args: Rest<ValueOrKwargs>| {
            let args = args.into_values();
            bounded(reckon(name, &args))?;
            state.apply_filter(&format!("__{name}"), &args)
        });
    }
    env.set_unknown_method_callback(|state, value, method, args| {
        let all: Vec<Value> = std::iter::once(value).chain(args).cloned().collect();
        bounded(match (method, value.kind()) {
            // `", ".join(list)`: the text comes first
            ("join", ValueKind::String) if all.len() == 2 => {
                reckon("join", &[all[1].clone(), all[0].clone()])
            }
            ("format" | "replace", ValueKind::String) => reckon(method, &all),
            _ => 0,
        })?;
        minijinja_contrib::pycompat::unknown_method_callback(state, value, method, args)
    });
}

/// About how many bytes a value takes, if they are not too many.
fn weight(value: &Value) -> Result<usize, Error> {
    let mut left = LARGEST;
    if value::weigh(value, &mut left) { Ok(LARGEST - left) } else { Err(too_large()) }
}

/// A value gets a name for the rest of the template.
fn hold(held: &Value) -> Result<(), Error> {
    if trace::hold(weight(held)?) > TOGETHER { Err(too_large()) } else { Ok(()) }
}

/// Values get names until the macro ends.
fn enter(parameters: &[Value]) -> Result<(), Error> {
    let mut bytes = 0;
    for parameter in parameters {
        bytes += weight(parameter)?;
    }
    if trace::enter(bytes) > TOGETHER { Err(too_large()) } else { Ok(()) }
}

/// A value becomes part of a longer one.
fn join(part: &Value) -> Result<(), Error> {
    if trace::join(weight(part)?) > JOINED { Err(too_large()) } else { Ok(()) }
}

/// A value was made of a smaller one many times.
fn multiply(product: &Value) -> Result<(), Error> {
    let is_small = product.is_number() || weight(product)? < LARGE_PRODUCT;
    if is_small { Ok(()) } else { join(product) }
}

/// About how many bytes a filter will make of its arguments, the first being what it is applied to.
fn reckon(name: &str, args: &[Value]) -> usize {
    let text = |at: usize| args.get(at).and_then(Value::as_str).unwrap_or_default();
    match name {
        "replace" => {
            let (whole, from, to) = (text(0), text(1), text(2));
            let times = if from.is_empty() { whole.len() + 1 } else { whole.matches(from).count() };
            to.len().saturating_mul(times).saturating_add(whole.len())
        }
        "join" => {
            let mut left = usize::MAX / 2;
            let fits = args.first().is_none_or(|list| value::weigh(list, &mut left));
            let count = args.first().and_then(Value::len).unwrap_or_default();
            let items = if fits { usize::MAX / 2 - left } else { usize::MAX };
            text(1).len().saturating_mul(count).saturating_add(items)
        }
        "format" => widest(text(0)).max(largest(args)),
        "indent" => largest(args).saturating_mul(text(0).lines().count().max(1)),
        _ => largest(args).saturating_mul(size_of::<Value>()),
    }
}

/// The largest number among the arguments, be they named or not.
fn largest(args: &[Value]) -> usize {
    let number = |arg: &Value| arg.as_usize().unwrap_or_default();
    let named = |arg: &Value| -> usize {
        let keys = arg.try_iter().ok().filter(|_| arg.is_kwargs());
        let values = keys.into_iter().flatten().filter_map(|key| arg.get_item(&key).ok());
        values.map(|value| number(&value)).max().unwrap_or_default()
    };
    args.iter().skip(1).map(|arg| number(arg).max(named(arg))).max().unwrap_or_default()
}

/// The largest width or precision that a format asks for: `%10d`, `{:>10}`.
fn widest(format: &str) -> usize {
    let numbers = |text: &str| -> usize {
        let digits = text.split(|c: char| !c.is_ascii_digit()).filter(|run| !run.is_empty());
        digits.map(|run| run.parse().unwrap_or(usize::MAX)).max().unwrap_or_default()
    };
    let percent = format.split('%').skip(1).map(|rest| {
        let rest = match rest.strip_prefix('(') {
            Some(named) => named.split_once(')').map_or("", |(_, rest)| rest),
            None => rest,
        };
        numbers(rest.split(|c: char| c.is_alphabetic()).next().unwrap_or_default())
    });
    let braces = format.split('{').skip(1).map(|rest| {
        let inner = rest.split('}').next().unwrap_or_default();
        numbers(inner.split_once(':').map_or("", |(_, spec)| spec))
    });
    percent.chain(braces).max().unwrap_or_default()
}

fn bounded(bytes: usize) -> Result<(), Error> {
    if bytes > LARGEST { Err(too_large()) } else { Ok(()) }
}

fn too_large() -> Error {
    let fault = Diagnostic::error("wharf::template::too_large", "a value grows too large")
        .note(format!("a value in a template may have about {} MiB", LARGEST >> 20))
        .help(
            "look for a value that is made of itself in a loop, or for a width that is too large",
        );
    let error = Error::new(ErrorKind::InvalidOperation, fault.message.clone());
    trace::raise(fault);
    error
}

#[cfg(test)]
mod tests {
    use super::widest;

    #[test]
    fn formats_tell_their_widths() {
        for (format, width) in [
            ("no width in 2024", 0),
            ("%d of %10d", 10),
            ("%(name)-20s 2024", 20),
            ("%.5f", 5),
            ("{} {:>30} {name:.40} 2024", 40),
            ("{0}", 0),
        ] {
            assert_eq!(widest(format), width, "{format}");
        }
    }
}
