//! Values to TOML and back. `toToml` and `fromToml` tell errors as a text and under the key `Error`.

mod lex;
mod read;
mod scalar;
mod write;

use super::data::{Encoded, must, spent, weigh};
use crate::template::gotmpl::function::{Call, Failure, Function};
use crate::template::gotmpl::go_type::{ANY, STRING};
use crate::template::gotmpl::time::zone::Zone;
use crate::template::gotmpl::value::{Entries, Text, Value};

/// The functions of this subject.
pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("fromToml", &[&STRING], from_toml),
    Function::new("mustToToml", &[&ANY], |call| must(encoded(call)?)),
    Function::new("toToml", &[&ANY], to_toml),
];

fn encoded(call: &mut Call<'_>) -> Result<Encoded, Failure> {
    weigh(&call.args[0], call.templates, 0)?;
    let encoded = write::write(&call.args[0])?;
    spent(call, encoded)
}

fn to_toml(call: &mut Call<'_>) -> Result<Value, Failure> {
    Ok(Value::text(encoded(call)?.unwrap_or_else(String::into_bytes)))
}

fn from_toml(call: &mut Call<'_>) -> Result<Value, Failure> {
    call.templates.pay_text(call.text(0).len())?;
    let zone = Zone::local(&call.world.zone);
    let (offset, _) = zone.at(call.world.now.div_euclid(1_000_000_000));
    Ok(read::read(call.text(0), &zone, offset).unwrap_or_else(|error| {
        Value::map(Entries::from([(Text::from("Error"), Value::text(error))]))
    }))
}
