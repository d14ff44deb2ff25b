//! TOML to values, with the rules and words of BurntSushi's parser.
//!
//! Whether a name may be used again depends on how it came to be: tables that were only implied may
//! still be written out, lists of tables grow, and nothing else may be said twice.

use super::lex::{END, Fault, Kind, Lexer, Piece};
use super::write::path;
use crate::template::gotmpl::fmt::quote::{quote, quoted_char};
use crate::template::gotmpl::go_type::{ANY_MAP, Kind as GoKind, Type};
use crate::template::gotmpl::time::zone::Zone;
use crate::template::gotmpl::value::{List, Text, Value};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Reads a document.
///
/// # Errors
/// The parser's words.
pub(super) fn read(text: &[u8], zone: &Zone, offset: i64) -> Result<Value, String> {
    let text = without_mark(text);
    if text.iter().take(6).any(|byte| *byte == 0) {
        return Err("toml: line 1: files cannot contain NULL bytes; probably using UTF-16; \
                    TOML files must be UTF-8"
            .to_owned());
    }
    let mut parser = Parser {
        lexer: Lexer::new(text),
        root: Table::new(),
        context: Vec::new(),
        key: Text::default(),
        place: 0,
        implied: HashSet::new(),
        lists: HashMap::new(),
        depth: 0,
        zone: zone.clone(),
        offset,
    };
    match parser.document() {
        Ok(()) => Ok(value_of(Item::Table(parser.root))),
        Err(fault) => Err(parser.told(&fault)),
    }
}

fn without_mark(text: &[u8]) -> &[u8] {
    let marks: [&[u8]; 3] = [b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf"];
    marks.into_iter().find_map(|mark| text.strip_prefix(mark)).unwrap_or(text)
}

/// A list of tables.
static TABLES: Type = Type::of("[]map[string]interface {}", GoKind::Slice, &ANY_MAP);

const EMPTY: &str = "(table names cannot be empty)";

/// Lists and tables in braces within each other.
const DEPTH: usize = 500;

type Table = BTreeMap<Text, Item>;

/// What a name stands for while the document is read.
enum Item {
    Value(Value),
    Table(Table),
    Tables(Vec<Table>),
}

fn value_of(item: Item) -> Value {
    match item {
        Item::Value(value) => value,
        Item::Table(table) => {
            Value::map(table.into_iter().map(|(key, item)| (key, value_of(item))).collect())
        }
        Item::Tables(tables) => {
            let tables = tables.into_iter().map(|table| value_of(Item::Table(table)));
            Value::List(List::new(&TABLES, tables.collect::<Vec<_>>()))
        }
    }
}

/// Reads a document; what is no list or table is read in `scalar`.
pub(super) struct Parser<'a> {
    lexer: Lexer<'a>,
    root: Table,
    /// The table that keys go to.
    context: Vec<Text>,
    /// The key whose value is read; empty between them.
    key: Text,
    /// Where the last key began, for faults of keys.
    place: usize,
    /// Tables that were never written out.
    implied: HashSet<String>,
    /// Names, and whether they stand for a list of values.
    lists: HashMap<String, bool>,
    depth: usize,
    /// The zone of dates that tell an offset.
    pub(super) zone: Zone,
    /// Seconds by which dates without an offset are away from UTC.
    pub(super) offset: i64,
}

type Parsed<T> = Result<T, Fault>;

impl Parser<'_> {
    /// The words for a fault, with the key that was read last.
    fn told(&self, fault: &Fault) -> String {
        let Fault { line, message } = fault;
        let last = match (self.key.is_empty(), self.context.is_empty()) {
            (true, _) => path(&self.context),
            (false, true) => self.key.to_string(),
            (false, false) => format!("{}.{}", path(&self.context), self.key),
        };
        if last.is_empty() {
            return format!("toml: line {line}: {message}");
        }
        format!("toml: line {line} (last key {}): {message}", quote(last.as_bytes()))
    }

    fn document(&mut self) -> Parsed<()> {
        loop {
            match self.lexer.next()? {
                ' ' | '\t' | '\r' | '\n' => {}
                '#' => self.lexer.comment()?,
                END => return Ok(()),
                '[' => {
                    self.header()?;
                    self.end_of_line()?;
                }
                _ => {
                    self.lexer.back();
                    let outer = self.context.clone();
                    self.entry()?;
                    self.context = outer;
                    self.key = Text::default();
                    self.end_of_line()?;
                }
            }
        }
    }

    fn end_of_line(&mut self) -> Parsed<()> {
        loop {
            match self.lexer.next()? {
                ' ' | '\t' => {}
                '#' => return self.lexer.comment(),
                '\r' | '\n' | END => {
                    self.lexer.back();
                    return Ok(());
                }
                other => {
                    return self.lexer.fault(format!(
                        "expected a top-level item to end with a newline, comment, or EOF, \
                         but got {} instead",
                        quoted_char(other, false)
                    ));
                }
            }
        }
    }

    /// The name of a table; the first bracket has been read.
    fn header(&mut self) -> Parsed<()> {
        let many = self.lexer.peek()? == '[';
        if many {
            self.lexer.next()?;
        }
        let mut name = Vec::new();
        loop {
            self.lexer.skip_spaces()?;
            match self.lexer.peek()? {
                ']' | END => {
                    return self.lexer.fault(format!("unexpected end of table name {EMPTY}"));
                }
                '.' => return self.lexer.fault(format!("unexpected table separator {EMPTY}")),
                _ => self.name_part(&mut name)?,
            }
            self.lexer.skip_spaces()?;
            match self.lexer.next()? {
                '.' => {}
                ']' => break,
                other => {
                    let found = quoted_char(other, false);
                    let message =
                        format!("expected '.' or ']' to end table name, but got {found} instead");
                    return self.lexer.fault(message);
                }
            }
        }
        if many {
            let next = self.lexer.next()?;
            if next != ']' {
                let found = quoted_char(next, false);
                return self.lexer.fault(format!(
                    "expected end of table array name delimiter ']', but got {found} instead"
                ));
            }
        }
        self.enter(&name, many)?;
        self.set_type(false, None);
        Ok(())
    }

    fn name_part(&mut self, name: &mut Vec<Text>) -> Parsed<()> {
        let piece = self.lexer.name()?;
        if name.is_empty() {
            self.place = piece.end;
        }
        name.push(self.text(piece)?.into());
        Ok(())
    }

    /// A key up to its `=`.
    fn name(&mut self) -> Parsed<Vec<Text>> {
        self.lexer.skip_spaces()?;
        match self.lexer.peek()? {
            '=' | END => return self.lexer.fault("unexpected '=': key name appears blank"),
            '.' => return self.lexer.fault("unexpected '.': keys cannot start with a '.'"),
            _ => {}
        }
        let mut name = Vec::new();
        loop {
            self.lexer.skip_spaces()?;
            match self.lexer.peek()? {
                '=' | END => return self.lexer.fault("unexpected '='"),
                '.' => return self.lexer.fault("unexpected '.'"),
                _ => self.name_part(&mut name)?,
            }
            self.lexer.skip_spaces()?;
            let next = self.lexer.next()?;
            let found = quoted_char(next, false);
            let message = format!("expected '.' or '=', but got {found} instead");
            match next {
                '.' => {}
                '=' => return Ok(name),
                END => return self.lexer.fault("unexpected EOF; expected key separator '='"),
                '\n' => return self.lexer.fault_before(message),
                _ => return self.lexer.fault(message),
            }
        }
    }

    /// A key and its value, which is set. Context and key are left as they are then.
    fn entry(&mut self) -> Parsed<(Vec<Text>, Value)> {
        let name = self.name()?;
        let (last, parents) = name.split_last().expect("a key has a part");
        self.key = last.clone();
        for parent in parents {
            let mut path_to = self.context.clone();
            path_to.push(parent.clone());
            self.implied.insert(path(&path_to));
            self.enter(&path_to, false)?;
        }
        let piece = self.lexer.value()?;
        let is_list = piece.kind == Kind::List;
        let value = self.value(piece, false)?;
        self.set(last, Item::Value(value.clone()))?;
        self.set_type(is_list, Some(last));
        Ok((name, value))
    }

    /// Makes a table that keys go to, and those on the way to it.
    fn enter(&mut self, name: &[Text], many: bool) -> Parsed<()> {
        let (last, parents) = name.split_last().expect("a name has a part");
        let mut table = &mut self.root;
        for (index, part) in parents.iter().enumerate() {
            let so_far = &parents[..=index];
            if !table.contains_key(part) {
                self.implied.insert(path(so_far));
            }
            match table.entry(part.clone()).or_insert_with(|| Item::Table(Table::new())) {
                Item::Table(inner) => table = inner,
                Item::Tables(tables) => table = tables.last_mut().expect("it holds one"),
                Item::Value(_) => {
                    let name = path(so_far);
                    let message = format!("Key '{name}' was already created as a hash.");
                    return Err(Fault { line: self.lexer.line(self.place), message });
                }
            }
        }
        self.context = parents.to_vec();
        if many {
            match table.entry(last.clone()).or_insert_with(|| Item::Tables(Vec::new())) {
                Item::Tables(tables) => tables.push(Table::new()),
                _ => {
                    let name = path(name);
                    return self.refused(format!(
                        "Key '{name}' was already created and cannot be used as an array."
                    ));
                }
            }
        } else {
            self.set(last, Item::Table(Table::new()))?;
        }
        self.context.push(last.clone());
        Ok(())
    }

    /// Sets a key of the table that keys go to.
    fn set(&mut self, key: &Text, item: Item) -> Parsed<()> {
        let defined = |name: &str| format!("Key '{name}' has already been defined.");
        let mut table = &mut self.root;
        for (index, part) in self.context.iter().enumerate() {
            table = match table.get_mut(part) {
                Some(Item::Table(inner)) => inner,
                Some(Item::Tables(tables)) => tables.last_mut().expect("it holds one"),
                _ => {
                    let message = defined(&path(&self.context[..=index]));
                    return Err(Fault { line: self.lexer.line(self.place), message });
                }
            };
        }
        let mut name = self.context.clone();
        name.push(key.clone());
        let name = path(&name);
        if !table.contains_key(key) {
            table.insert(key.clone(), item);
            return Ok(());
        }
        let implied = self.implied.remove(&name);
        if !implied {
            return self.refused(defined(&name));
        }
        // what was implied is a table already
        if self.lists.get(&name) == Some(&true) {
            table.insert(key.clone(), item);
        }
        Ok(())
    }

    fn refused<T>(&self, message: String) -> Parsed<T> {
        Err(Fault { line: self.lexer.line(self.place), message })
    }

    /// Notes whether a key, or the table that keys go to, is a list of values.
    fn set_type(&mut self, is_list: bool, key: Option<&Text>) {
        let mut name = self.context.clone();
        name.extend(key.filter(|key| !key.is_empty()).cloned());
        if name.is_empty() {
            name.push(Text::default());
        }
        self.lists.insert(path(&name), is_list);
    }

    fn value(&mut self, piece: Piece<'_>, in_list: bool) -> Parsed<Value> {
        let text = String::from_utf8_lossy(piece.text);
        match piece.kind {
            Kind::Integer => self.integer(piece, &text),
            Kind::Float => self.float(piece, &text),
            Kind::Bool => Ok(Value::Bool(text == "true")),
            Kind::Datetime => self.datetime(piece, &text),
            Kind::List | Kind::Table => {
                self.depth += 1;
                if self.depth > DEPTH {
                    return self.wrong(piece, "lists and tables are nested too deep");
                }
                let value =
                    if piece.kind == Kind::List { self.list()? } else { self.table(in_list)? };
                self.depth -= 1;
                Ok(value)
            }
            _ => Ok(Value::text(self.text(piece)?)),
        }
    }

    /// A fault of a piece that the lexer let pass.
    pub(super) fn wrong<T>(&self, piece: Piece<'_>, message: impl Into<String>) -> Parsed<T> {
        Err(Fault { line: self.lexer.line(piece.end), message: message.into() })
    }

    fn list(&mut self) -> Parsed<Value> {
        let key = self.key.clone();
        self.set_type(true, Some(&key));
        let mut items = Vec::new();
        'items: loop {
            match self.lexer.next()? {
                ' ' | '\t' | '\r' | '\n' => {}
                '#' => self.lexer.comment()?,
                ',' => return self.lexer.fault("unexpected comma"),
                ']' => return Ok(Value::list(items)),
                _ => {
                    self.lexer.back();
                    let piece = self.lexer.value()?;
                    items.push(self.value(piece, true)?);
                    loop {
                        match self.lexer.next()? {
                            ' ' | '\t' | '\r' | '\n' => {}
                            '#' => self.lexer.comment()?,
                            ',' => continue 'items,
                            ']' => return Ok(Value::list(items)),
                            other => {
                                return self.lexer.fault(format!(
                                    "expected a comma (',') or array terminator (']'), but got {}",
                                    shown(other)
                                ));
                            }
                        }
                    }
                }
            }
        }
    }

    fn table(&mut self, in_list: bool) -> Parsed<Value> {
        let (outer, outer_key) = (self.context.clone(), self.key.clone());
        let mut inner = outer.clone();
        inner.push(std::mem::take(&mut self.key));
        self.implied.insert(path(&inner));
        self.context.clone_from(&inner);
        self.enter(&inner, in_list)?;
        let mut top = Table::new();
        'entries: loop {
            match self.lexer.next()? {
                ' ' | '\t' | '\r' | '\n' => continue,
                '#' => {
                    self.lexer.comment()?;
                    continue;
                }
                ',' => return self.lexer.fault("unexpected comma"),
                '}' => break,
                _ => self.lexer.back(),
            }
            let (name, value) = self.entry()?;
            if !insert(&mut top, &name, value) {
                let parts: Vec<String> = self.context.iter().map(|part| quote(part)).collect();
                return self.refused(format!("[{}] is not a table", parts.join(" ")));
            }
            self.context.clone_from(&inner);
            loop {
                match self.lexer.next()? {
                    ' ' | '\t' | '\r' | '\n' => {}
                    '#' => self.lexer.comment()?,
                    ',' => {
                        self.lexer.skip_spaces()?;
                        if self.lexer.peek()? != '}' {
                            continue 'entries;
                        }
                    }
                    '}' => break 'entries,
                    other => {
                        return self.lexer.fault(format!(
                            "expected a comma or an inline table terminator '}}', but got {} instead",
                            shown(other)
                        ));
                    }
                }
            }
        }
        self.context = outer;
        self.key = outer_key;
        Ok(value_of(Item::Table(top)))
    }
}

/// Sets a value below tables; false where something else is in the way.
fn insert(table: &mut Table, name: &[Text], value: Value) -> bool {
    let (last, parents) = name.split_last().expect("a key has a part");
    let mut table = table;
    for part in parents {
        match table.entry(part.clone()).or_insert_with(|| Item::Table(Table::new())) {
            Item::Table(inner) => table = inner,
            _ => return false,
        }
    }
    table.insert(last.clone(), Item::Value(value));
    true
}

fn shown(char: char) -> String {
    if char == END { "end of file".to_owned() } else { format!("'{char}'") }
}
