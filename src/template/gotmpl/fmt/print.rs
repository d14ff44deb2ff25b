//! Operands: how a value of each type is printed under a verb, and printing without a format.

use super::float::Digits;
use super::layout::Layout;
use crate::template::gotmpl::function::Failure;
use crate::template::gotmpl::go_type::{self, Kind, Type};
use crate::template::gotmpl::value::{Object, Text, Value};

/// `fmt.Sprint`: the values, with a space between two when neither is a string.
///
/// # Errors
/// When values hold themselves, or the text would be immense.
pub fn sprint(values: &[Value]) -> Result<Text, Failure> {
    let mut printer = Printer::default();
    let mut after_text = true;
    for value in values {
        let is_text = matches!(value, Value::Text(_));
        if !is_text && !after_text {
            printer.layout.raw(" ");
        }
        printer.operand(value, 'v')?;
        after_text = is_text;
    }
    Ok(printer.layout.out.into())
}

/// `fmt.Sprintln`: the values with spaces between them, and a line break.
///
/// # Errors
/// As [`sprint`].
pub fn sprintln(values: &[Value]) -> Result<Text, Failure> {
    let mut printer = Printer::default();
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            printer.layout.raw(" ");
        }
        printer.operand(value, 'v')?;
    }
    printer.layout.raw("\n");
    Ok(printer.layout.out.into())
}

/// Appends what an action of a template writes for a value. A function cannot be printed: it is
/// the caller who knows the text of that error, and gets `false`.
///
/// # Errors
/// As [`sprint`].
pub fn print(out: &mut Vec<u8>, value: &Value) -> Result<bool, Failure> {
    match value {
        Value::Text(text) => out.extend_from_slice(text),
        Value::Nil => out.extend_from_slice(b"<no value>"),
        Value::Function(..) => return Ok(false),
        Value::NilOf(of) if of.kind == Kind::Func => return Ok(false),
        _ => {
            let mut printer = Printer::default();
            std::mem::swap(&mut printer.layout.out, out);
            let start = printer.layout.out.len();
            let result = match value {
                // what a pointer points to, unless the pointer has a text of its own
                Value::Object(object)
                    if object.go_type().kind == Kind::Ptr && object.text().is_none() =>
                {
                    printer.fields(&**object, 'v', 0)
                }
                _ => printer.operand(value, 'v'),
            };
            std::mem::swap(&mut printer.layout.out, out);
            if let Err(failure) = result {
                out.truncate(start);
                return Err(failure);
            }
        }
    }
    Ok(true)
}

/// Values nested deeper than this hold themselves, or might as well.
const DEPTH: usize = 1000;

/// Where all pointers, maps and functions stand: addresses would differ from run to run.
const ADDRESS: u64 = 0x00c0_0000_0000;

/// Prints operands.
#[derive(Default)]
pub(super) struct Printer {
    pub(super) layout: Layout,
    /// A wrong verb is being told: methods are not called.
    wrong: bool,
}

impl Printer {
    /// An operand of a format, or of `print`.
    pub(super) fn operand(&mut self, value: &Value, verb: char) -> Result<(), Failure> {
        match (value, verb) {
            (Value::Nil, 'T' | 'v') => {
                self.layout.pad(b"<nil>");
                Ok(())
            }
            (Value::Nil, _) => self.bad_verb(value, verb),
            (_, 'T') => {
                self.layout.text(type_name(value).as_bytes());
                Ok(())
            }
            (_, 'p') => self.pointer(value, 'p'),
            (Value::Bytes(bytes), 'v') if self.layout.flags.syntax => {
                self.layout.raw("[]byte");
                self.items_of_bytes(bytes, 'v')
            }
            _ => self.value(value, verb, 0),
        }
    }

    /// A value at a depth: 0 is the operand itself.
    fn value(&mut self, value: &Value, verb: char, depth: usize) -> Result<(), Failure> {
        self.layout.check()?;
        if depth > DEPTH {
            return Err(Failure::new("printing a value that is nested too deep or holds itself"));
        }
        if self.by_method(value, verb)? {
            return Ok(());
        }
        match value {
            Value::Nil => {
                self.layout.raw("<nil>");
                Ok(())
            }
            Value::NilOf(of) => self.nil(value, of, verb),
            Value::Bool(bool) => match verb {
                't' | 'v' => {
                    self.layout.pad(if *bool { b"true" } else { b"false" });
                    Ok(())
                }
                _ => self.bad_verb(value, verb),
            },
            Value::Int(int, _) => self.integer(value, int.unsigned_abs(), *int < 0, verb),
            Value::Uint(int, _) => self.integer(value, *int, false, verb),
            Value::Float(float, of) => self.float(value, *float, of.kind == Kind::Float32, verb),
            Value::Complex(parts) => self.complex(value, **parts, verb),
            Value::Text(text) => self.text(value, text, verb),
            Value::Bytes(bytes) => match verb {
                's' | 'q' | 'x' | 'X' => self.text(value, bytes, verb),
                _ => {
                    if self.layout.flags.syntax {
                        self.layout.raw(go_type::BYTES.name);
                    }
                    self.items_of_bytes(bytes, verb)
                }
            },
            Value::List(list) => {
                if self.layout.flags.syntax {
                    self.layout.raw(list.go_type().name);
                }
                self.items(list, list.go_type(), verb, depth)
            }
            Value::Map(map) => {
                let entries = map.entries();
                let (open, between, close) = if self.layout.flags.syntax {
                    self.layout.raw(map.go_type().name);
                    ("{", ", ", "}")
                } else {
                    ("map[", " ", "]")
                };
                self.layout.raw(open);
                for (index, (key, item)) in entries.iter().enumerate() {
                    if index > 0 {
                        self.layout.raw(between);
                    }
                    self.text(&Value::Text(key.clone()), key, verb)?;
                    self.layout.raw(":");
                    self.element(item, map.go_type(), verb, depth)?;
                }
                self.layout.raw(close);
                Ok(())
            }
            Value::Object(object) => match object.go_type().kind {
                Kind::Struct => self.fields(&**object, verb, depth),
                Kind::Ptr if depth == 0 => {
                    self.layout.raw("&");
                    self.fields(&**object, verb, depth)
                }
                _ => self.pointer(value, verb),
            },
            Value::Function(..) => self.pointer(value, verb),
        }
    }

    /// Prints what a `String` or `Error` method gives, where the verb takes texts.
    fn by_method(&mut self, value: &Value, verb: char) -> Result<bool, Failure> {
        let named = match value {
            Value::Int(_, of) => of.text.is_some(),
            Value::Object(_) => true,
            Value::List(_) | Value::Map(_) | Value::NilOf(_) | Value::Function(..) => verb == 'w',
            _ => false,
        };
        if !named || self.wrong {
            return Ok(false);
        }
        if verb == 'w' {
            self.bad_verb(value, verb)?;
            return Ok(true);
        }
        if self.layout.flags.syntax {
            let Value::Object(object) = value else { return Ok(false) };
            let syntax = object.syntax();
            if let Some(syntax) = &syntax {
                self.layout.text(syntax);
            }
            return Ok(syntax.is_some());
        }
        if !matches!(verb, 'v' | 's' | 'x' | 'X' | 'q') {
            return Ok(false);
        }
        let text = match value {
            Value::Int(int, of) => of.text.map(|text| text(*int)),
            Value::Object(object) => object.text(),
            _ => None,
        };
        match text {
            Some(text) => self.text(value, &text, verb).map(|()| true),
            None => Ok(false),
        }
    }

    /// The fields of a struct.
    fn fields(&mut self, object: &dyn Object, verb: char, depth: usize) -> Result<(), Failure> {
        let flags = self.layout.flags;
        if flags.syntax {
            self.layout.raw(object.go_type().name.trim_start_matches('*'));
        }
        self.layout.raw("{");
        for (index, (name, field)) in object.printed_fields().iter().enumerate() {
            if index > 0 {
                self.layout.raw(if flags.syntax { ", " } else { " " });
            }
            if flags.names || flags.syntax {
                self.layout.raw(name);
                self.layout.raw(":");
            }
            self.element(field, &go_type::ANY_LIST, verb, depth)?;
        }
        self.layout.raw("}");
        Ok(())
    }

    fn items(
        &mut self,
        items: &[Value],
        of: &'static Type,
        verb: char,
        depth: usize,
    ) -> Result<(), Failure> {
        let (open, between, close) =
            if self.layout.flags.syntax { ("{", ", ", "}") } else { ("[", " ", "]") };
        self.layout.raw(open);
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.layout.raw(between);
            }
            self.element(item, of, verb, depth)?;
        }
        self.layout.raw(close);
        Ok(())
    }

    fn items_of_bytes(&mut self, bytes: &[u8], verb: char) -> Result<(), Failure> {
        let items: Vec<_> =
            bytes.iter().map(|byte| Value::Uint(u64::from(*byte), &go_type::UINT8)).collect();
        self.items(&items, &go_type::BYTES, verb, 0)
    }

    /// What a list or map of the type `of` holds.
    fn element(
        &mut self,
        value: &Value,
        of: &'static Type,
        verb: char,
        depth: usize,
    ) -> Result<(), Failure> {
        if matches!(value, Value::Nil) && self.layout.flags.syntax {
            self.layout.raw(of.elem.unwrap_or(&go_type::ANY).name);
            self.layout.raw("(nil)");
            return Ok(());
        }
        self.value(value, verb, depth + 1)
    }

    fn nil(&mut self, value: &Value, of: &'static Type, verb: char) -> Result<(), Failure> {
        let syntax = self.layout.flags.syntax;
        match of.kind {
            Kind::Map | Kind::Slice if syntax => {
                self.layout.raw(of.name);
                self.layout.raw("(nil)");
            }
            Kind::Map => self.layout.raw("map[]"),
            Kind::Slice if of == &go_type::BYTES && matches!(verb, 's' | 'q' | 'x' | 'X') => {
                return self.text(value, &[], verb);
            }
            Kind::Slice => self.layout.raw("[]"),
            Kind::Interface => self.layout.raw("<nil>"),
            _ => return self.pointer(value, verb),
        }
        Ok(())
    }

    /// The text of a wrong verb.
    fn bad_verb(&mut self, value: &Value, verb: char) -> Result<(), Failure> {
        self.wrong = true;
        self.layout.raw("%!");
        self.layout.char(verb);
        self.layout.raw("(");
        if matches!(value, Value::Nil) {
            self.layout.raw("<nil>");
        } else {
            self.layout.raw(type_name(value));
            self.layout.raw("=");
            self.operand(value, 'v')?;
        }
        self.layout.raw(")");
        self.wrong = false;
        Ok(())
    }

    fn text(&mut self, value: &Value, text: &[u8], verb: char) -> Result<(), Failure> {
        match verb {
            'v' if self.layout.flags.syntax => self.layout.quoted(text),
            'v' | 's' => self.layout.text(text),
            'x' | 'X' => self.layout.hex(text, verb == 'X'),
            'q' => self.layout.quoted(text),
            _ => return self.bad_verb(value, verb),
        }
        Ok(())
    }

    fn integer(
        &mut self,
        value: &Value,
        magnitude: u64,
        negative: bool,
        verb: char,
    ) -> Result<(), Failure> {
        // what Go gets when it takes a negative number for an unsigned one
        let bits = if negative { magnitude.wrapping_neg() } else { magnitude };
        match verb {
            'v' if self.layout.flags.syntax && matches!(value, Value::Uint(..)) => {
                self.hex_number(magnitude, true);
            }
            'v' | 'd' => self.layout.integer(magnitude, negative, 10, verb),
            'b' => self.layout.integer(magnitude, negative, 2, verb),
            'o' | 'O' => self.layout.integer(magnitude, negative, 8, verb),
            'x' | 'X' => self.layout.integer(magnitude, negative, 16, verb),
            'c' => self.layout.character(bits),
            'q' => self.layout.quoted_character(bits),
            'U' => self.layout.code_point(bits),
            _ => return self.bad_verb(value, verb),
        }
        Ok(())
    }

    fn hex_number(&mut self, number: u64, prefix: bool) {
        let sharp = std::mem::replace(&mut self.layout.flags.sharp, prefix);
        self.layout.integer(number, false, 16, 'v');
        self.layout.flags.sharp = sharp;
    }

    fn float(
        &mut self,
        value: &Value,
        number: f64,
        single: bool,
        verb: char,
    ) -> Result<(), Failure> {
        let (form, digits) = match verb {
            'v' | 'g' => (b'g', Digits::Shortest),
            'b' => (b'b', Digits::Shortest),
            'G' => (b'G', Digits::Shortest),
            'x' => (b'x', Digits::Shortest),
            'X' => (b'X', Digits::Shortest),
            'f' | 'F' => (b'f', Digits::Exactly(6)),
            'e' => (b'e', Digits::Exactly(6)),
            'E' => (b'E', Digits::Exactly(6)),
            _ => return self.bad_verb(value, verb),
        };
        self.layout.float(number, form, digits, single);
        Ok(())
    }

    fn complex(&mut self, value: &Value, parts: (f64, f64), verb: char) -> Result<(), Failure> {
        if !matches!(verb, 'v' | 'b' | 'g' | 'G' | 'x' | 'X' | 'f' | 'F' | 'e' | 'E') {
            return self.bad_verb(value, verb);
        }
        let plus = self.layout.flags.plus;
        self.layout.raw("(");
        self.float(value, parts.0, false, verb)?;
        // the second part always has a sign
        self.layout.flags.plus = true;
        self.float(value, parts.1, false, verb)?;
        self.layout.raw("i)");
        self.layout.flags.plus = plus;
        Ok(())
    }

    fn pointer(&mut self, value: &Value, verb: char) -> Result<(), Failure> {
        let (address, of) = match value {
            Value::NilOf(of) => (0, *of),
            Value::Bytes(_) | Value::List(_) | Value::Map(_) | Value::Function(..) => {
                (ADDRESS, value.go_type().unwrap_or(&go_type::ANY))
            }
            Value::Object(object) if object.go_type().kind != Kind::Struct => {
                (ADDRESS, object.go_type())
            }
            _ => return self.bad_verb(value, verb),
        };
        let sharp = self.layout.flags.sharp;
        match verb {
            'v' if self.layout.flags.syntax => {
                self.layout.raw("(");
                self.layout.raw(of.name);
                self.layout.raw(")(");
                if address == 0 {
                    self.layout.raw("nil");
                } else {
                    self.hex_number(address, true);
                }
                self.layout.raw(")");
            }
            'v' if address == 0 => self.layout.pad(b"<nil>"),
            'v' | 'p' => self.hex_number(address, !sharp),
            'b' | 'o' | 'd' | 'x' | 'X' => {
                return self.integer(&Value::Uint(address, &go_type::UINT64), address, false, verb);
            }
            _ => return self.bad_verb(value, verb),
        }
        Ok(())
    }
}

/// What `%T` prints.
pub(super) fn type_name(value: &Value) -> &'static str {
    value.go_type().map_or("<nil>", |of| of.name)
}
