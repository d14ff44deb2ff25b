//! Evaluates expressions of CEL.
//!
//! Errors are values that `&&` and `||` can swallow, as the language has it: what the other side
//! decides alone is decided. Every step costs one of a budget, so no rule can run for long.

use super::syntax::{Expr, Operator};
use super::value::Value;
use super::{check, library};
use std::cell::Cell;

/// Why an expression has no value: a sentence.
pub(super) type Failure = String;

/// One rule on one object may take so many steps.
const BUDGET: usize = 1_000_000;

/// Names in scope, the innermost last.
pub(super) struct Scope<'s, 'a> {
    names: Vec<(&'s str, Value<'a>)>,
    left: &'s Cell<usize>,
}

/// Evaluates with names for `self`, `oldSelf` and the like.
pub(super) fn evaluate<'a>(
    expr: &'a Expr,
    names: Vec<(&str, Value<'a>)>,
) -> Result<Value<'a>, Failure> {
    let left = Cell::new(BUDGET);
    Scope { names, left: &left }.value(expr)
}

impl<'s, 'a> Scope<'s, 'a>
where
    'a: 's,
{
    fn step(&self, cost: usize) -> Result<(), Failure> {
        match self.left.get().checked_sub(cost) {
            Some(left) => {
                self.left.set(left);
                Ok(())
            }
            None => Err("operation cancelled: actual cost limit exceeded".into()),
        }
    }

    pub(super) fn value(&mut self, expr: &'a Expr) -> Result<Value<'a>, Failure> {
        self.step(1)?;
        Ok(match expr {
            Expr::Null => Value::Null,
            Expr::Bool(value) => Value::Bool(*value),
            Expr::Int(value) => Value::Int(*value),
            Expr::Uint(value) => Value::Uint(*value),
            Expr::Double(value) => Value::Double(*value),
            Expr::Text(text) => Value::Text(text.as_str().into()),
            Expr::Bytes(bytes) => Value::Bytes(bytes.clone()),
            Expr::Name(name) => return self.name(name),
            Expr::Select { target, field, optional } => {
                let target = self.value(target)?;
                return select(target, &Value::Text(field.as_str().into()), *optional);
            }
            Expr::Index { target, key, optional } => {
                let target = self.value(target)?;
                let key = self.value(key)?;
                return select(target, &key, *optional);
            }
            Expr::List(items) => {
                Value::List(items.iter().map(|item| self.value(item)).collect::<Result<_, _>>()?)
            }
            Expr::Map(entries) => {
                let pair = |(key, value): &'a (Expr, Expr)| {
                    Ok::<_, Failure>((self.value(key)?, self.value(value)?))
                };
                Value::Map(entries.iter().map(pair).collect::<Result<_, _>>()?)
            }
            Expr::Not(inner) => match self.value(inner)? {
                Value::Bool(value) => Value::Bool(!value),
                other => return Err(no_overload("!_", &[&other])),
            },
            Expr::Minus(inner) => match self.value(inner)? {
                Value::Int(value) => Value::Int(value.checked_neg().ok_or("integer overflow")?),
                Value::Double(value) => Value::Double(-value),
                other => return Err(no_overload("-_", &[&other])),
            },
            Expr::Choice(parts) => {
                let [condition, yes, no] = &**parts;
                let chosen = if self.truth(condition)? { yes } else { no };
                return self.value(chosen);
            }
            Expr::Binary(Operator::And, left, right) => {
                Value::Bool(self.junction(left, right, false)?)
            }
            Expr::Binary(Operator::Or, left, right) => {
                Value::Bool(self.junction(left, right, true)?)
            }
            Expr::Binary(operator, left, right) => {
                let (left, right) = (self.value(left)?, self.value(right)?);
                self.step(left.size().unwrap_or(0).min(right.size().unwrap_or(0)))?;
                return library::binary(*operator, &left, &right);
            }
            Expr::Call { target, name, args } => {
                return self.call(target.as_deref(), name, args);
            }
        })
    }

    /// The value as a truth.
    fn truth(&mut self, expr: &'a Expr) -> Result<bool, Failure> {
        match self.value(expr)? {
            Value::Bool(value) => Ok(value),
            other => Err(no_overload("condition", &[&other])),
        }
    }

    /// `&&` and `||`: the side that decides wins over an error of the other.
    fn junction(
        &mut self,
        left: &'a Expr,
        right: &'a Expr,
        decides: bool,
    ) -> Result<bool, Failure> {
        let first = self.truth(left);
        if first == Ok(decides) {
            return first;
        }
        let second = self.truth(right);
        if second == Ok(decides) {
            return second;
        }
        first.and(second)
    }

    fn name(&self, name: &str) -> Result<Value<'a>, Failure> {
        if let Some((_, value)) = self.names.iter().rev().find(|(known, _)| *known == name) {
            return Ok(value.clone());
        }
        let found = check::TYPES.into_iter().find(|known| *known == name);
        found.map(Value::Type).ok_or_else(|| format!("undeclared reference to '{name}'"))
    }

    fn call(
        &mut self,
        target: Option<&'a Expr>,
        name: &'a str,
        args: &'a [Expr],
    ) -> Result<Value<'a>, Failure> {
        match (target, name, args) {
            (None, "has", [field]) => return self.has(field).map(Value::Bool),
            (Some(Expr::Name(space)), "bind", [Expr::Name(name), init, rest]) if space == "cel" => {
                let value = self.value(init)?;
                return self.with(vec![(name, value)], |scope| scope.value(rest));
            }
            (Some(Expr::Name(space)), _, _) if matches!(space.as_str(), "optional" | "sets") => {
                let args = args.iter().map(|arg| self.value(arg)).collect::<Result<Vec<_>, _>>()?;
                return library::namespaced(space, name, &args);
            }
            (Some(target), "optMap" | "optFlatMap", [Expr::Name(each), map]) => {
                let Value::Optional(inner) = self.value(target)? else {
                    return Err("optMap needs an optional value".into());
                };
                let Some(inner) = inner else { return Ok(Value::Optional(None)) };
                let value = self.with(vec![(each, *inner)], |scope| scope.value(map))?;
                return Ok(match value {
                    value if name == "optFlatMap" => value,
                    value => Value::Optional(Some(Box::new(value))),
                });
            }
            (
                Some(target),
                "all" | "exists" | "exists_one" | "existsOne" | "map" | "filter" | "transformList"
                | "transformMap",
                [Expr::Name(first), ..],
            ) => {
                let names = match args {
                    [_, Expr::Name(second), _, ..]
                        if args.len() > 3 || !matches!(name, "map" | "filter") =>
                    {
                        (first.as_str(), Some(second.as_str()))
                    }
                    _ => (first.as_str(), None),
                };
                let body = &args[1 + usize::from(names.1.is_some())..];
                let target = self.value(target)?;
                return self.comprehension(&target, name, names, body);
            }
            _ => {}
        }
        let target = target.map(|target| self.value(target)).transpose()?;
        let args = args.iter().map(|arg| self.value(arg)).collect::<Result<Vec<_>, _>>()?;
        let sizes = target.iter().chain(&args).map(|value| value.size().unwrap_or(0));
        self.step(sizes.sum())?;
        library::call(target, name, &args)
    }

    /// True when a field is there.
    fn has(&mut self, field: &'a Expr) -> Result<bool, Failure> {
        let Expr::Select { target, field, .. } = field else {
            return Err("invalid argument to has() macro".into());
        };
        let target = match self.value(target)? {
            Value::Optional(Some(inner)) => *inner,
            Value::Optional(None) => return Ok(false),
            target => target,
        };
        match target {
            Value::Fields(..) | Value::Map(_) => {
                Ok(target.get(&Value::Text(field.as_str().into())).is_some())
            }
            other => Err(no_overload("has", &[&other])),
        }
    }

    fn with<T>(
        &mut self,
        names: Vec<(&'a str, Value<'a>)>,
        run: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let depth = self.names.len();
        self.names.extend(names);
        let result = run(self);
        self.names.truncate(depth);
        result
    }

    fn comprehension(
        &mut self,
        target: &Value<'a>,
        kind: &str,
        (first, second): (&'a str, Option<&'a str>),
        body: &'a [Expr],
    ) -> Result<Value<'a>, Failure> {
        let list = target.items().map(|items| {
            let numbered = (0..).map(Value::Int).zip(items);
            numbered.collect::<Vec<_>>()
        });
        let is_list = list.is_some();
        let pairs =
            list.or_else(|| target.entries()).ok_or_else(|| no_overload(kind, &[target]))?;
        let (test, result) = match body {
            [result] => (None, result),
            [test, result] => (Some(test), result),
            _ => return Err(format!("wrong number of arguments of {kind}()")),
        };
        let mut failure = None;
        let (mut met, mut values, mut entries) = (0, Vec::new(), Vec::new());
        for (key, item) in pairs {
            // with one name it is the item of a list, the key of a map
            let names = match second {
                Some(second) => vec![(first, key.clone()), (second, item.clone())],
                None if is_list => vec![(first, item.clone())],
                None => vec![(first, key.clone())],
            };
            let one = if is_list || second.is_some() { item } else { key.clone() };
            self.step(1)?;
            let outcome = self.with(names, |scope| {
                let passes = test.map_or(Ok(true), |test| scope.truth(test))?;
                passes.then(|| scope.value(result)).transpose()
            });
            match (kind, outcome) {
                ("all", Ok(Some(Value::Bool(false)))) => return Ok(Value::Bool(false)),
                ("exists", Ok(Some(Value::Bool(true)))) => return Ok(Value::Bool(true)),
                ("all" | "exists", Err(why)) => failure = Some(why),
                (_, Err(why)) => return Err(why),
                ("exists_one" | "existsOne", Ok(Some(Value::Bool(true)))) => met += 1,
                ("filter", Ok(Some(Value::Bool(true)))) => values.push(one),
                ("map" | "transformList", Ok(Some(value))) => values.push(value),
                ("transformMap", Ok(Some(value))) => entries.push((key, value)),
                _ => {}
            }
        }
        if let Some(why) = failure {
            return Err(why);
        }
        Ok(match kind {
            "all" => Value::Bool(true),
            "exists" => Value::Bool(false),
            "exists_one" | "existsOne" => Value::Bool(met == 1),
            "transformMap" => Value::Map(entries),
            _ => Value::List(values),
        })
    }
}

/// A field or an item; of an optional value an optional one.
fn select<'a>(target: Value<'a>, key: &Value, optional: bool) -> Result<Value<'a>, Failure> {
    let wrap = |value: Option<Value<'a>>| Value::Optional(value.map(Box::new));
    let (target, optional) = match target {
        Value::Optional(None) => return Ok(Value::Optional(None)),
        Value::Optional(Some(inner)) => (*inner, true),
        target => (target, optional),
    };
    let found = match (&target, key) {
        (Value::Nodes(..) | Value::List(_), _) => {
            let at = key.as_int().ok_or_else(|| no_overload("_[_]", &[&target, key]))?;
            usize::try_from(at).ok().and_then(|at| target.item(at))
        }
        (Value::Fields(..) | Value::Map(_), _) => target.get(key),
        _ => return Err(no_overload("_[_]", &[&target, key])),
    };
    if optional {
        return Ok(wrap(found));
    }
    found.ok_or_else(|| match key {
        Value::Text(text) => format!("no such key: {text}"),
        Value::Int(at) => format!("index out of bounds: {at}"),
        _ => "no such key".into(),
    })
}

/// A function that does not take such values.
pub(super) fn no_overload(what: &str, values: &[&Value]) -> Failure {
    let types: Vec<&str> = values.iter().map(|value| value.type_name()).collect();
    format!("no such overload: {what} applied to '({})'", types.join(", "))
}
