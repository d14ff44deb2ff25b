//! Faults of fields, worded as k8s.io/apimachinery `pkg/util/validation/field` words them.

use super::status::Cause;
use crate::schema::{Breach, Reason};
use crate::yaml::{Node, json};

/// All faults of one object, in the order in which they were found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

#[derive(Clone, Debug)]
struct Fault {
    reason: &'static str,
    message: String,
    field: String,
}

impl Faults {
    pub(crate) fn new() -> Faults {
        Faults::default()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn push(&mut self, reason: &'static str, field: impl Into<String>, message: String) {
        self.0.push(Fault { reason, message, field: field.into() });
    }

    /// A value that breaks a rule.
    pub(crate) fn invalid(
        &mut self,
        field: impl Into<String>,
        value: impl Into<Node>,
        rule: impl AsRef<str>,
    ) {
        let value = json::to_string(&value.into());
        let message = format!("Invalid value: {value}: {}", rule.as_ref());
        self.push("FieldValueInvalid", field, message);
    }

    /// A field that must be there.
    pub(crate) fn required(&mut self, field: impl Into<String>, rule: &str) {
        let colon = if rule.is_empty() { "" } else { ": " };
        self.push("FieldValueRequired", field, format!("Required value{colon}{rule}"));
    }

    /// A field that must not be there, or must not change.
    pub(crate) fn forbidden(&mut self, field: impl Into<String>, rule: &str) {
        self.push("FieldValueForbidden", field, format!("Forbidden: {rule}"));
    }

    /// A value that stands in the same list twice.
    pub(crate) fn duplicate(&mut self, field: impl Into<String>, value: impl Into<Node>) {
        let value = json::to_string(&value.into());
        self.push("FieldValueDuplicate", field, format!("Duplicate value: {value}"));
    }

    /// A reference to nothing.
    pub(crate) fn not_found(&mut self, field: impl Into<String>, value: impl Into<Node>) {
        let value = json::to_string(&value.into());
        self.push("FieldValueNotFound", field, format!("Not found: {value}"));
    }

    /// More bytes than are allowed.
    pub(crate) fn too_long(&mut self, field: impl Into<String>, limit: usize) {
        let message = format!("Too long: may not be more than {limit} bytes");
        self.push("FieldValueTooLong", field, message);
    }

    /// A value that is none of a few.
    pub(crate) fn unsupported(
        &mut self,
        field: impl Into<String>,
        value: impl Into<Node>,
        supported: &[&str],
    ) {
        let value = json::to_string(&value.into());
        let list: Vec<String> = supported.iter().map(|text| format!("{text:?}")).collect();
        let message = format!("Unsupported value: {value}: supported values: {}", list.join(", "));
        self.push("FieldValueNotSupported", field, message);
    }

    /// What a schema has against a value.
    pub(crate) fn breach(&mut self, breach: &Breach) {
        let (field, rule) = (breach.field.clone(), breach.rule.as_str());
        let value = breach.value.as_ref().map(json::to_string);
        let shown = value.as_ref().map(|value| format!("{value}: ")).unwrap_or_default();
        let value = value.unwrap_or_default();
        match breach.reason {
            Reason::Invalid => {
                self.push("FieldValueInvalid", field, format!("Invalid value: {shown}{rule}"));
            }
            Reason::Type => {
                self.push("FieldValueTypeInvalid", field, format!("Invalid value: {shown}{rule}"));
            }
            Reason::Required => self.required(field, rule),
            Reason::Forbidden => self.forbidden(field, rule),
            Reason::NotSupported => {
                let message = format!("Unsupported value: {shown}supported values: {rule}");
                self.push("FieldValueNotSupported", field, message);
            }
            Reason::Duplicate => {
                self.push("FieldValueDuplicate", field, format!("Duplicate value: {value}"));
            }
            Reason::TooLong => {
                let message = format!("Too long: may not be more than {rule} bytes");
                self.push("FieldValueTooLong", field, message);
            }
            Reason::TooMany => {
                let message = format!("Too many: {value}: must have at most {rule} items");
                self.push("FieldValueTooMany", field, message);
            }
        }
    }

    /// All of them in one text, each once.
    pub(crate) fn aggregate(&self) -> String {
        let mut texts: Vec<String> = Vec::with_capacity(self.0.len());
        for fault in &self.0 {
            let text = format!("{}: {}", fault.field, fault.message);
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        match texts.as_slice() {
            [one] => one.clone(),
            _ => format!("[{}]", texts.join(", ")),
        }
    }

    pub(crate) fn causes(&self) -> Vec<Cause> {
        let cause = |fault: &Fault| Cause {
            reason: fault.reason.into(),
            message: fault.message.clone(),
            field: fault.field.clone(),
        };
        self.0.iter().map(cause).collect()
    }
}
