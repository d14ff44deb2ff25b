//! Rules of custom resources in CEL (`x-kubernetes-validations`), as an API server evaluates them.
//!
//! ```text
//! text ── syntax ──> expression ── eval (library, text) ──> true, false, or why there is no answer
//!                        └─ check ──> what is wrong whatever the object is
//! ```
//!
//! The language is that of cel-spec with the functions of Kubernetes' `k8s.io/apiserver/pkg/cel`.
//! Types are checked as far as the schema tells them; where a rule mistakes another it fails when
//! it is evaluated. The cost of a rule is not estimated but counted, and limited.

mod check;
mod eval;
mod library;
mod syntax;
mod text;
mod value;

#[cfg(test)]
mod tests;

use super::breach::{Breach, Reason};
use super::model::{ListType, Shape, Type};
use crate::yaml::{FieldPath, Node, Str};
use eval::evaluate;
use syntax::Expr;
use value::Value;

/// One rule of a schema.
#[derive(Debug)]
pub(super) struct Rule {
    text: Str,
    expr: Expr,
    message: Option<Str>,
    message_expr: Option<Expr>,
    reason: Reason,
    /// The field below that the fault is about.
    field: Option<Str>,
    /// It speaks of the state before.
    looks_back: bool,
    /// It holds for new objects too, with an optional state before.
    optional_old: bool,
}

impl Rule {
    /// Compiles an entry of `x-kubernetes-validations`; the error is a sentence.
    pub(super) fn compile(entry: &Node) -> Result<Rule, String> {
        let text = |key: &str| entry.str_at(&[key]).map(|text| Str::from(text.trim()));
        let rule = text("rule").unwrap_or_default();
        let expr = syntax::parse(&rule)?;
        let message_expr =
            text("messageExpression").map(|text| syntax::parse(&text)).transpose()?;
        let optional = entry.get("optionalOldSelf").and_then(Node::as_bool) == Some(true);
        Ok(Rule {
            looks_back: names_old(&expr),
            text: rule,
            expr,
            message: text("message").filter(|text| !text.is_empty()),
            message_expr,
            reason: match entry.str_at(&["reason"]) {
                Some("FieldValueForbidden") => Reason::Forbidden,
                Some("FieldValueRequired") => Reason::Required,
                Some("FieldValueDuplicate") => Reason::Duplicate,
                _ => Reason::Invalid,
            },
            field: text("fieldPath").filter(|text| !text.is_empty()),
            optional_old: optional,
        })
    }
}

/// What is wrong with an entry of `x-kubernetes-validations` of a schema: the field of the entry,
/// and a sentence. `top` is true for the schema of whole objects.
#[must_use]
pub fn fault(entry: &Node, schema: &Node, top: bool) -> Option<(&'static str, String)> {
    let text = |key: &str| entry.str_at(&[key]).map(str::trim).unwrap_or_default();
    let rule = syntax::parse(text("rule")).and_then(|expr| check::rule(&expr, schema, top));
    if let Err(why) = rule {
        return Some(("rule", format!("compilation failed: {why}")));
    }
    let message = text("messageExpression");
    if message.is_empty() {
        return None;
    }
    let checked = syntax::parse(message).and_then(|expr| check::message(&expr, schema, top));
    let why = checked.err()?;
    Some(("messageExpression", format!("messageExpression compilation failed: {why}")))
}

/// True when an expression speaks of `oldSelf`.
fn names_old(expr: &Expr) -> bool {
    match expr {
        Expr::Name(name) => name == "oldSelf",
        Expr::Select { target, .. } => names_old(target),
        Expr::Index { target, key, .. } => names_old(target) || names_old(key),
        Expr::Call { target, args, .. } => {
            target.as_deref().is_some_and(names_old) || args.iter().any(names_old)
        }
        Expr::List(items) => items.iter().any(names_old),
        Expr::Map(entries) => entries.iter().any(|(k, v)| names_old(k) || names_old(v)),
        Expr::Not(inner) | Expr::Minus(inner) => names_old(inner),
        Expr::Binary(_, left, right) => names_old(left) || names_old(right),
        Expr::Choice(parts) => parts.iter().any(names_old),
        _ => false,
    }
}

/// True when a schema has a rule anywhere.
pub(super) fn has_rules(ty: &Type) -> bool {
    ty.rules.as_ref().is_some_and(|rules| !rules.validations.is_empty())
        || match &ty.shape {
            Shape::Object(fields) => {
                fields.properties.iter().any(|property| has_rules(&property.ty))
                    || fields.additional.as_ref().is_some_and(has_rules)
            }
            Shape::List(items) => has_rules(items),
            _ => false,
        }
}

/// Every rule that an object breaks.
pub(super) fn judge(object: &Node, old: Option<&Node>, ty: &Type) -> Vec<Breach> {
    let mut judge = Judge { path: FieldPath::root(), found: Vec::new() };
    judge.value(object, old, ty);
    judge.found
}

struct Judge {
    path: FieldPath,
    found: Vec<Breach>,
}

impl Judge {
    fn value(&mut self, node: &Node, old: Option<&Node>, ty: &Type) {
        if node.is_null() {
            return;
        }
        let unchanged = old == Some(node);
        let rules = ty.rules.as_deref().map(|rules| &*rules.validations).unwrap_or_default();
        for rule in rules {
            // what an update leaves alone need not meet rules that came later
            if !unchanged || rule.looks_back {
                self.rule(rule, node, old, ty);
            }
        }
        match (&ty.shape, &node.value) {
            (Shape::Object(fields), crate::yaml::Value::Map(map)) => {
                for entry in map {
                    let known = fields.property(&entry.key).map(|property| &property.ty);
                    let Some(ty) = known.or(fields.additional.as_ref()) else { continue };
                    self.path.push_key(&entry.key);
                    self.value(&entry.value, old.and_then(|old| old.get(&entry.key)), ty);
                    self.path.pop();
                }
            }
            (Shape::List(items), crate::yaml::Value::List(list)) => {
                for (index, item) in list.iter().enumerate() {
                    self.path.push_index(index);
                    self.value(item, counterpart(item, old, ty), items);
                    self.path.pop();
                }
            }
            _ => {}
        }
    }

    fn rule(&mut self, rule: &Rule, node: &Node, old: Option<&Node>, ty: &Type) {
        if rule.looks_back && old.is_none() && !rule.optional_old {
            return;
        }
        let before = old.map(|old| Value::of(old, Some(ty)));
        let before =
            if rule.optional_old { Some(Value::Optional(before.map(Box::new))) } else { before };
        let mut names = vec![("self", Value::of(node, Some(ty)))];
        names.extend(before.map(|before| ("oldSelf", before)));
        let said = match evaluate(&rule.expr, names.clone()) {
            Ok(Value::Bool(true)) => return,
            Ok(Value::Bool(false)) => match &rule.message_expr {
                Some(expr) => match evaluate(expr, names) {
                    Ok(Value::Text(text)) if !text.trim().is_empty() => Some(text.into_owned()),
                    _ => None,
                },
                None => None,
            },
            Ok(other) => {
                let ty = other.type_name();
                Some(format!("rule gave {ty}, not bool: {}", rule.text))
            }
            Err(why) => {
                let shown = rule.message.as_ref().unwrap_or(&rule.text);
                Some(format!("{why} evaluating rule: {shown}"))
            }
        };
        let text = said
            .or_else(|| rule.message.as_ref().map(ToString::to_string))
            .unwrap_or_else(|| format!("failed rule: {}", rule.text));
        let path = self.path.to_string();
        let field = match &rule.field {
            Some(below) => format!("{path}{below}").trim_start_matches('.').to_owned(),
            None if path.is_empty() => "<nil>".into(),
            None => path,
        };
        let whole = matches!(node.value, crate::yaml::Value::Map(_) | crate::yaml::Value::List(_));
        let value = (!whole).then(|| node.clone());
        self.found.push(Breach { reason: rule.reason, field, value, rule: text });
    }
}

/// The state of an item before: only items with keys can be told apart.
pub(super) fn counterpart<'o>(item: &Node, old: Option<&'o Node>, ty: &Type) -> Option<&'o Node> {
    let ListType::Map(keys) = ty.list_type() else { return None };
    let mut candidates = old?.as_list()?.iter();
    candidates.find(|other| keys.iter().all(|key| other.get(key) == item.get(key)))
}
