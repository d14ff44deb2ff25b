//! What can be said of a rule before there is an object: names that mean nothing, fields that the
//! schema does not have, operators between types that do not fit, and a result that is no bool.
//!
//! It follows the schema that the rule stands in and knows the types of literals, fields, operators
//! and the common functions. Whatever else there is may be anything, so a sound rule is never
//! refused; what is not found here is told when the rule is evaluated.

use super::syntax::{Expr, Operator};
use crate::yaml::Node;

/// Names of types, which are values too.
pub(super) const TYPES: [&str; 9] =
    ["bool", "int", "uint", "double", "string", "bytes", "list", "map", "null_type"];

/// What is known of a value.
#[derive(Clone, Copy, Debug)]
enum Known<'s> {
    /// It is of a schema.
    Schema(&'s Node),
    /// It is of a simple type.
    Simple(&'static str),
    Anything,
}

/// Checks a rule at a schema; `top` is true where objects have `apiVersion`, `kind` and `metadata`.
/// The error is a sentence.
pub(super) fn rule(expr: &Expr, schema: &Node, top: bool) -> Result<(), String> {
    let result = typed(expr, schema, top)?;
    match result.simple() {
        None | Some("bool") => Ok(()),
        Some(_) => Err("cel expression must evaluate to a bool".into()),
    }
}

/// Checks an expression that makes the message of a rule.
pub(super) fn message(expr: &Expr, schema: &Node, top: bool) -> Result<(), String> {
    let result = typed(expr, schema, top)?;
    match result.simple() {
        None | Some("string") => Ok(()),
        Some(_) => Err("messageExpression must evaluate to a string".into()),
    }
}

fn typed<'s>(expr: &Expr, schema: &'s Node, top: bool) -> Result<Known<'s>, String> {
    let own = Known::Schema(schema);
    Scope { names: vec![("self", own), ("oldSelf", Known::Anything)], root: top.then_some(schema) }
        .of(expr)
}

impl<'s> Known<'s> {
    /// The name of its type, if it can only be that one.
    fn simple(self) -> Option<&'static str> {
        let schema = match self {
            Known::Simple(name) => return Some(name),
            Known::Anything => return None,
            Known::Schema(schema) => schema,
        };
        let flag = |key: &str| schema.get(key).and_then(Node::as_bool) == Some(true);
        if flag("nullable") || flag("x-kubernetes-int-or-string") {
            return None;
        }
        Some(match schema.str_at(&["type"])? {
            "boolean" => "bool",
            "integer" => "int",
            "number" => "double",
            "array" => "list",
            "object" => "map",
            "string" if schema.get("format").is_none() => "string",
            _ => return None,
        })
    }

    /// What the items of a list, or the values of a map, are.
    fn items(self) -> Known<'s> {
        let Known::Schema(schema) = self else { return Known::Anything };
        let items = schema.get("items").or_else(|| schema.get("additionalProperties"));
        items.filter(|items| items.as_map().is_some()).map_or(Known::Anything, Known::Schema)
    }
}

/// Names and what they are, the innermost last.
struct Scope<'e, 's> {
    names: Vec<(&'e str, Known<'s>)>,
    /// The schema of whole objects, when the rule is about them.
    root: Option<&'s Node>,
}

impl<'e, 's> Scope<'e, 's> {
    fn of(&mut self, expr: &'e Expr) -> Result<Known<'s>, String> {
        Ok(match expr {
            Expr::Null => Known::Anything,
            Expr::Bool(_) => Known::Simple("bool"),
            Expr::Int(_) => Known::Simple("int"),
            Expr::Uint(_) => Known::Simple("uint"),
            Expr::Double(_) => Known::Simple("double"),
            Expr::Text(_) => Known::Simple("string"),
            Expr::Bytes(_) => Known::Simple("bytes"),
            Expr::Name(name) => return self.name(name),
            Expr::Select { target, field, optional } => {
                let target = self.of(target)?;
                let found = self.field(target, field)?;
                if *optional { Known::Anything } else { found }
            }
            Expr::Index { target, key, optional } => {
                let target = self.of(target)?;
                self.of(key)?;
                if *optional { Known::Anything } else { target.items() }
            }
            Expr::List(items) => {
                for item in items {
                    self.of(item)?;
                }
                Known::Simple("list")
            }
            Expr::Map(entries) => {
                for (key, value) in entries {
                    self.of(key)?;
                    self.of(value)?;
                }
                Known::Simple("map")
            }
            Expr::Not(inner) => {
                let inner = self.of(inner)?;
                needs("!_", "bool", &[inner])?
            }
            Expr::Minus(inner) => self.of(inner)?,
            Expr::Choice(parts) => {
                let [condition, yes, no] = &**parts;
                let condition = self.of(condition)?;
                needs("_?_:_", "bool", &[condition])?;
                let (yes, no) = (self.of(yes)?, self.of(no)?);
                if yes.simple() == no.simple() { yes } else { Known::Anything }
            }
            Expr::Binary(operator, left, right) => {
                let (left, right) = (self.of(left)?, self.of(right)?);
                return binary(*operator, left, right);
            }
            Expr::Call { target, name, args } => return self.call(target.as_deref(), name, args),
        })
    }

    fn name(&self, name: &str) -> Result<Known<'s>, String> {
        if let Some((_, known)) = self.names.iter().rev().find(|(known, _)| *known == name) {
            return Ok(*known);
        }
        if TYPES.contains(&name) {
            return Ok(Known::Anything);
        }
        Err(format!("undeclared reference to '{name}'"))
    }

    fn field(&self, target: Known<'s>, field: &str) -> Result<Known<'s>, String> {
        let Known::Schema(schema) = target else {
            return match target.simple() {
                Some("map") | None => Ok(Known::Anything),
                Some(other) => Err(format!("type '{other}' does not support field selection")),
            };
        };
        if let Some(found) = schema.at(&["properties", field]) {
            return Ok(Known::Schema(found));
        }
        if let Some(other) = target.simple().filter(|ty| *ty != "map") {
            return Err(format!("type '{other}' does not support field selection"));
        }
        let flag = |key: &str| schema.get(key).and_then(Node::as_bool) == Some(true);
        let whole = flag("x-kubernetes-embedded-resource")
            || self.root.is_some_and(|root| std::ptr::eq(root, schema));
        let of_all = ["apiVersion", "kind", "metadata"].contains(&field);
        let open = schema.get("properties").is_none()
            || schema.get("additionalProperties").is_some()
            || flag("x-kubernetes-preserve-unknown-fields");
        // metadata may only be narrowed by a schema
        let metadata = self.root.and_then(|root| root.at(&["properties", "metadata"]));
        let narrowed = metadata.is_some_and(|metadata| std::ptr::eq(metadata, schema));
        if open || whole && of_all || narrowed {
            return Ok(target.items());
        }
        Err(format!("undefined field '{field}'"))
    }

    fn call(
        &mut self,
        target: Option<&'e Expr>,
        name: &'e str,
        args: &'e [Expr],
    ) -> Result<Known<'s>, String> {
        let each = match (target, name, args) {
            // names of packages are no values
            (Some(Expr::Name(space)), "bind", [Expr::Name(bound), init, rest])
                if space == "cel" =>
            {
                let init = self.of(init)?;
                return self.with(&[(bound, init)], |scope| scope.of(rest));
            }
            (Some(Expr::Name(space)), _, _)
                if matches!(
                    space.as_str(),
                    "optional" | "sets" | "math" | "ip" | "cidr" | "format"
                ) =>
            {
                for arg in args {
                    self.of(arg)?;
                }
                return Ok(Known::Anything);
            }
            (Some(target), "optMap" | "optFlatMap", [Expr::Name(each), map]) => {
                self.of(target)?;
                self.with(&[(each, Known::Anything)], |scope| scope.of(map))?;
                return Ok(Known::Anything);
            }
            (
                Some(target),
                "all" | "exists" | "exists_one" | "existsOne" | "map" | "filter" | "transformList"
                | "transformMap",
                [Expr::Name(_), ..],
            ) => Some(self.of(target)?),
            _ => None,
        };
        if let Some(target) = each {
            return self.comprehension(target, name, args);
        }
        if let Some(target) = target {
            self.of(target)?;
        }
        for arg in args {
            self.of(arg)?;
        }
        Ok(match name {
            "has" | "matches" | "startsWith" | "endsWith" | "isSorted" | "bool" => {
                Known::Simple("bool")
            }
            "size" | "int" | "indexOf" | "lastIndexOf" => Known::Simple("int"),
            "double" => Known::Simple("double"),
            "string" | "lowerAscii" | "upperAscii" | "trim" | "substring" | "join" => {
                Known::Simple("string")
            }
            _ => Known::Anything,
        })
    }

    fn comprehension(
        &mut self,
        target: Known<'s>,
        name: &str,
        args: &'e [Expr],
    ) -> Result<Known<'s>, String> {
        let is_list = target.simple() == Some("list");
        let [Expr::Name(first), rest @ ..] = args else { return Ok(Known::Anything) };
        let (names, body) = match rest {
            [Expr::Name(second), rest @ ..]
                if !rest.is_empty() && (rest.len() > 1 || !matches!(name, "map" | "filter")) =>
            {
                (vec![(first.as_str(), Known::Anything), (second.as_str(), target.items())], rest)
            }
            // of a map it is the key
            _ if is_list => (vec![(first.as_str(), target.items())], rest),
            _ => (vec![(first.as_str(), Known::Anything)], rest),
        };
        let mut last = Known::Anything;
        for part in body {
            last = self.with(&names, |scope| scope.of(part))?;
        }
        Ok(match name {
            "all" | "exists" | "exists_one" | "existsOne" => {
                needs(name, "bool", &[last])?;
                Known::Simple("bool")
            }
            "filter" if is_list => target,
            "map" | "filter" | "transformList" => Known::Simple("list"),
            _ => Known::Anything,
        })
    }

    fn with<T>(
        &mut self,
        names: &[(&'e str, Known<'s>)],
        run: impl FnOnce(&mut Self) -> Result<T, String>,
    ) -> Result<T, String> {
        let depth = self.names.len();
        self.names.extend_from_slice(names);
        let result = run(self);
        self.names.truncate(depth);
        result
    }
}

/// What an operator gives; both sides of most must be of one type.
fn binary<'s>(operator: Operator, left: Known<'s>, right: Known<'s>) -> Result<Known<'s>, String> {
    let (symbol, orders) = match operator {
        Operator::And => return needs("_&&_", "bool", &[left, right]),
        Operator::Or => return needs("_||_", "bool", &[left, right]),
        Operator::In => return Ok(Known::Simple("bool")),
        Operator::Equal => ("_==_", true),
        Operator::Unequal => ("_!=_", true),
        Operator::Less => ("_<_", true),
        Operator::AtMost => ("_<=_", true),
        Operator::More => ("_>_", true),
        Operator::AtLeast => ("_>=_", true),
        Operator::Add => ("_+_", false),
        Operator::Subtract => ("_-_", false),
        Operator::Multiply => ("_*_", false),
        Operator::Divide => ("_/_", false),
        Operator::Remainder => ("_%_", false),
    };
    if let (Some(a), Some(b)) = (left.simple(), right.simple()) {
        let number = |ty: &str| matches!(ty, "int" | "uint" | "double");
        let mixed = orders && !matches!(operator, Operator::Equal | Operator::Unequal);
        if a != b && !(mixed && number(a) && number(b)) {
            return Err(overload(symbol, &[left, right]));
        }
    }
    let same = left.simple().is_some() && left.simple() == right.simple();
    Ok(if orders {
        Known::Simple("bool")
    } else if same {
        left.simple().map_or(Known::Anything, Known::Simple)
    } else {
        Known::Anything
    })
}

/// Refuses operands that can only be of another type than the one that is needed.
fn needs<'s>(symbol: &str, ty: &'static str, operands: &[Known<'s>]) -> Result<Known<'s>, String> {
    if operands.iter().any(|operand| operand.simple().is_some_and(|found| found != ty)) {
        return Err(overload(symbol, operands));
    }
    Ok(Known::Simple(ty))
}

fn overload(symbol: &str, operands: &[Known<'_>]) -> String {
    let types: Vec<&str> =
        operands.iter().map(|operand| operand.simple().unwrap_or("dyn")).collect();
    format!("found no matching overload for '{symbol}' applied to '({})'", types.join(", "))
}
