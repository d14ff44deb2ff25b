//! `ServiceAccounts`: plain holders of references.

use super::{PLAIN_RULES, Rules};

pub(crate) static SERVICE_ACCOUNT: Rules = PLAIN_RULES;
