//! Rewrites a template before the engine compiles it, so that rendering can be followed.
//!
//! ```text
//! {{ x }}                →  {%+ do __begin(7) %}{{ x }}       which expression is being printed
//! text                   →  <piece marker>text               where text stood
//! {{ m(1) ~ "!" }}       →  {{ (m(1)|__text) ~ "!" }}        operators and filters see text
//! {% set x = a ~ b %}    →  {% set x = (a|__part ~ b)|__held %}    values do not grow without end
//! {{ a * 9 ~ b }}         →  {{ (a * 9)|__product ~ b }}
//! {% for x in f(a) %}    →  {% for x in ((f(a)|__text))|__bounded %}
//! {% macro m(a) %}       →  {% macro m(a) %}{% do __enter(a) %}    and __leave where it ends
//! {% set x %}…{% endset %}   +  {% set x = x|__capture %}
//! {% filter f %}         →  {% filter __capture|f %}
//! {% endcall %}↵         →  {% endcall %}↵↵             the line that a call printed ends
//! ```
//!
//! A macro that is called as the whole of `{{ … }}` keeps its markers, and so its types; everywhere
//! else a call's result is flattened to text first. Insertions keep white-space control as it was
//! and add no line, and [`Prepared::original`] leads offsets back.

use super::{marker, shape};
use crate::base::diag::Diagnostic;
use crate::base::source::{FileId, Span};
use minijinja::machinery::{Span as At, Token, tokenize};
use minijinja::syntax::SyntaxConfig;
use std::sync::Arc;

/// Pieces of text over this length are counted against the output limit where they are rendered,
/// since what a capture collects is not seen otherwise.
const LARGE_PIECE: usize = 256;

/// Functions that never give text with markers.
const PLAIN: &[&str] =
    &["range", "dict", "namespace", "file", "files", "lookup", "required", "fail", "cycler"];

/// Words that come before a parenthesis without calling anything.
const KEYWORDS: &[&str] = &["not", "in", "and", "or", "is", "if", "else", "elif", "recursive"];

/// A template ready to be compiled.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) name: String,
    pub(super) file: FileId,
    /// The text that the engine compiles.
    pub(super) source: String,
    /// The printed expressions.
    pub(super) expressions: Vec<Span>,
    /// Where in the original text each piece begins.
    pub(super) pieces: Vec<u32>,
    /// Insertions: offset in the rewritten text, and length.
    inserted: Vec<(usize, usize)>,
    length: usize,
}

/// How the engine reads templates: a line that holds only a block tag leaves no line behind.
pub(super) fn syntax() -> SyntaxConfig {
    let mut builder = SyntaxConfig::builder();
    builder.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true);
    builder.build().expect("the standard delimiters are valid")
}

/// Rewrites a template. One that cannot be read stays as it is: the engine says what is wrong.
pub(super) fn prepare(
    index: usize,
    name: &str,
    file: FileId,
    text: &Arc<str>,
    syntax: &SyntaxConfig,
) -> Result<Prepared, Diagnostic> {
    let mut prepared = Prepared {
        name: name.to_owned(),
        file,
        source: text.to_string(),
        expressions: Vec::new(),
        pieces: Vec::new(),
        inserted: Vec::new(),
        length: text.len(),
    };
    if let Some(at) = text.char_indices().find(|(_, c)| marker::is_in(c.encode_utf8(&mut [0; 4]))) {
        let span = Span::new(file, at.0, at.0 + at.1.len_utf8());
        return Err(private_characters("the template").at(span, "here"));
    }
    let tokens: Result<Vec<(Token<'_>, At)>, _> = tokenize(text, false, syntax.clone()).collect();
    let Ok(tokens) = tokens else { return Ok(prepared) };
    shape::check(&tokens, file)?;
    let mut rewriter = Rewriter {
        index,
        text,
        tokens: &tokens,
        prepared: &mut prepared,
        insertions: Vec::new(),
        sets: Vec::new(),
        scopes: Vec::new(),
    };
    rewriter.run()?;
    let insertions = std::mem::take(&mut rewriter.insertions);
    prepared.insert(text, insertions);
    Ok(prepared)
}

/// The fault of holding characters that wharf needs for itself.
pub(super) fn private_characters(what: &str) -> Diagnostic {
    Diagnostic::error(
        "wharf::template::private_character",
        format!("{what} holds a private-use character between U+E000 and U+E003"),
    )
    .note("wharf marks printed values with them, so they cannot be part of the input")
}

impl Prepared {
    fn insert(&mut self, text: &str, mut insertions: Vec<(usize, String)>) {
        insertions.sort_by_key(|(at, _)| *at);
        let extra: usize = insertions.iter().map(|(_, inserted)| inserted.len()).sum();
        let mut source = String::with_capacity(text.len() + extra);
        let mut done = 0;
        for (at, inserted) in insertions {
            source.push_str(&text[done..at]);
            self.inserted.push((source.len(), inserted.len()));
            source.push_str(&inserted);
            done = at;
        }
        source.push_str(&text[done..]);
        self.source = source;
    }

    /// The offset in the original text of an offset in the rewritten one.
    pub(super) fn original(&self, offset: usize) -> usize {
        let mut removed = 0;
        for (at, length) in &self.inserted {
            if at + length <= offset {
                removed += length;
            } else {
                removed += offset.saturating_sub(*at);
                break;
            }
        }
        (offset - removed.min(offset)).min(self.length)
    }
}

struct Rewriter<'a> {
    index: usize,
    text: &'a str,
    tokens: &'a [(Token<'a>, At)],
    prepared: &'a mut Prepared,
    insertions: Vec<(usize, String)>,
    /// Names of the open `{% set x %}` blocks.
    sets: Vec<&'a str>,
    /// Of the open macros, whether they have parameters.
    scopes: Vec<bool>,
}

impl<'a> Rewriter<'a> {
    fn run(&mut self) -> Result<(), Diagnostic> {
        let mut at = 0;
        while at < self.tokens.len() {
            let (token, span) = &self.tokens[at];
            match token {
                Token::TemplateData(data) => self.piece(data),
                Token::VariableStart => {
                    let end = self.end_of(at);
                    self.variable(at, end);
                    at = end;
                }
                Token::BlockStart => {
                    let end = self.end_of(at);
                    self.block(at, end, *span)?;
                    at = end;
                }
                _ => {}
            }
            at += 1;
        }
        Ok(())
    }

    /// Index of the token that closes the tag opened at `start`.
    fn end_of(&self, start: usize) -> usize {
        let closes = |token: &Token<'_>| matches!(token, Token::VariableEnd | Token::BlockEnd);
        let after = self.tokens[start..].iter().position(|(token, _)| closes(token));
        after.map_or(self.tokens.len(), |after| start + after)
    }

    fn put(&mut self, at: usize, text: impl Into<String>) {
        self.insertions.push((at, text.into()));
    }

    fn piece(&mut self, data: &str) {
        let start = data.as_ptr() as usize - self.text.as_ptr() as usize;
        if data.len() > LARGE_PIECE {
            self.put(start, format!("{{%+ do __charge({}) %}}", data.len()));
        }
        let marker = marker::piece(self.index, self.prepared.pieces.len());
        self.prepared.pieces.push(u32::try_from(start).unwrap_or(u32::MAX));
        self.put(start, marker);
    }

    fn start_of(&self, at: usize) -> usize {
        self.tokens.get(at).map_or(self.text.len(), |(_, span)| span.start_offset as usize)
    }

    fn end_offset(&self, at: usize) -> usize {
        self.tokens.get(at).map_or(self.text.len(), |(_, span)| span.end_offset as usize)
    }

    fn ident(&self, at: usize) -> Option<&'a str> {
        match self.tokens.get(at) {
            Some((Token::Ident(name), _)) => Some(name),
            _ => None,
        }
    }

    fn is(&self, at: usize, wanted: &Token<'_>) -> bool {
        self.tokens.get(at).is_some_and(|(token, _)| {
            std::mem::discriminant(token) == std::mem::discriminant(wanted)
        })
    }

    /// `{{ … }}` from its opening to its closing token.
    fn variable(&mut self, start: usize, end: usize) {
        let inner = start + 1..end;
        if inner.is_empty() {
            return;
        }
        self.calls(inner.start, inner.end, true);
        // these two are not printed as values but rendered in place
        let in_place = matches!(self.ident(inner.start), Some("super" | "loop"))
            && self.is(inner.start + 1, &Token::ParenOpen);
        if !in_place {
            self.begin(start, inner.start, inner.end);
        }
    }

    /// Says before the tag at `tag` that the expression between two tokens begins.
    fn begin(&mut self, tag: usize, first: usize, end: usize) {
        let tag = self.start_of(tag);
        let trims = self.text.as_bytes().get(tag + 2) == Some(&b'-');
        let id = (self.index << 32) | self.prepared.expressions.len();
        let span = Span::new(self.prepared.file, self.start_of(first), self.end_offset(end - 1));
        self.prepared.expressions.push(span);
        self.put(tag, format!("{{%{} do __begin({id}) %}}", if trims { '-' } else { '+' }));
    }

    fn block(&mut self, start: usize, end: usize, span: At) -> Result<(), Diagnostic> {
        let first = start + 2;
        match self.ident(start + 1) {
            Some("call") if first < end => {
                self.begin(start, start + 1, end);
                // the call itself stays as it is, its arguments do not
                let open = (first..end).rfind(|at| self.is(*at, &Token::ParenOpen));
                if let Some(open) = open {
                    self.calls(open + 1, end, false);
                }
            }
            Some("macro") => {
                let open = (first..end).find(|at| self.is(*at, &Token::ParenOpen));
                self.enter(open, end);
            }
            Some("endmacro") => self.leave(start),
            Some("endcall") => {
                // a call prints, so as after `}}` the line goes on: the engine takes this line
                // break instead of the template's own
                let close = self.end_offset(end);
                if self.text[close..].starts_with(['\n', '\r'])
                    && !self.text[..close].ends_with("-%}")
                {
                    self.put(close, "\n");
                }
            }
            Some("set") => self.set(first, end),
            Some("endset") => {
                if let Some(name) = self.sets.pop().filter(|name| !name.is_empty()) {
                    let close = self.end_offset(end);
                    let trims = self.text[..close].ends_with("-%}");
                    let sign = if trims { "-" } else { "" };
                    self.put(close, format!("{{% set {name} = {name}|__capture {sign}%}}"));
                }
            }
            Some("filter") if first < end => self.put(self.start_of(first), "__capture|"),
            Some("do") => self.calls(first, end, true),
            Some("if" | "elif") => self.calls(first, end, false),
            Some("for") => self.loops(first, end),
            Some("with") => self.with(first, end),
            Some("autoescape") => {
                let span =
                    Span::new(self.prepared.file, span.start_offset as usize, self.end_offset(end));
                return Err(Diagnostic::error(
                    "wharf::template::autoescape",
                    "`autoescape` has no meaning here",
                )
                .at(span, "")
                .note("printed values are placed as values, so there is nothing to escape"));
            }
            _ => {}
        }
        Ok(())
    }

    fn set(&mut self, first: usize, end: usize) {
        if let Some(assign) = (first..end).find(|at| self.is(*at, &Token::Assign)) {
            if assign + 1 == end {
                return;
            }
            self.put(self.start_of(assign + 1), "(");
            self.calls(first, end, false);
            self.put(self.end_offset(end - 1), ")|__held");
            return;
        }
        let pipe = (first..end).find(|at| self.is(*at, &Token::Pipe));
        if let Some(pipe) = pipe {
            self.put(self.end_offset(pipe), "__capture|");
            self.sets.push("");
            return;
        }
        let name = &self.text[self.start_of(first)..self.end_offset(end.saturating_sub(1))];
        self.sets.push(name);
    }

    /// `{% for x in … %}`: what is looped over is weighed, unless it is only named.
    fn loops(&mut self, first: usize, end: usize) {
        let Some(word) = (first..end).find(|at| self.ident(*at) == Some("in")) else { return };
        let list = word + 1;
        let mut depth = 0usize;
        let stop = (list..end).find(|at| {
            match self.tokens[*at].0 {
                Token::ParenOpen | Token::BracketOpen | Token::BraceOpen => depth += 1,
                Token::ParenClose | Token::BracketClose | Token::BraceClose => {
                    depth = depth.saturating_sub(1);
                }
                _ => {}
            }
            depth == 0 && matches!(self.ident(*at), Some("if" | "recursive"))
        });
        let stop = stop.unwrap_or(end);
        self.bounded(list, stop);
        self.calls(stop, end, false);
    }

    /// `{% with a = …, b = … %}`: each value is weighed.
    fn with(&mut self, first: usize, end: usize) {
        let mut at = first;
        while let Some(assign) = (at..end).find(|at| self.is(*at, &Token::Assign)) {
            let mut depth = 0usize;
            let comma = (assign + 1..end).find(|at| {
                match self.tokens[*at].0 {
                    Token::ParenOpen | Token::BracketOpen | Token::BraceOpen => depth += 1,
                    Token::ParenClose | Token::BracketClose | Token::BraceClose => {
                        depth = depth.saturating_sub(1);
                    }
                    _ => {}
                }
                depth == 0 && self.is(*at, &Token::Comma)
            });
            let stop = comma.unwrap_or(end);
            self.bounded(assign + 1, stop);
            at = stop;
        }
    }

    /// Weighs the expression between two tokens, if it can make anything new.
    fn bounded(&mut self, from: usize, to: usize) {
        let plain = |at: usize| matches!(self.tokens[at].0, Token::Ident(_) | Token::Dot);
        let range = self.ident(from) == Some("range");
        if from >= to || range || (from..to).all(plain) {
            return self.calls(from, to, false);
        }
        self.put(self.start_of(from), "(");
        self.calls(from, to, false);
        self.put(self.end_offset(to - 1), ")|__bounded");
    }

    /// After the tag that ends at `end`: weighs the parameters of a macro, whose list opens at
    /// `open`.
    fn enter(&mut self, open: Option<usize>, end: usize) {
        let close = open.map_or(end, |open| self.closing(open, end));
        let mut names = Vec::new();
        let mut depth = 0usize;
        for at in open.unwrap_or(end)..close {
            match self.tokens[at].0 {
                Token::ParenOpen | Token::BracketOpen | Token::BraceOpen => depth += 1,
                Token::ParenClose | Token::BracketClose | Token::BraceClose => {
                    depth = depth.saturating_sub(1);
                }
                _ => {}
            }
            let begins = self.is(at, &Token::ParenOpen) || self.is(at, &Token::Comma);
            if depth == 1 && begins {
                names.extend(self.ident(at + 1));
            }
        }
        self.scopes.push(!names.is_empty());
        if !names.is_empty() {
            let close = self.end_offset(end);
            let sign = match self.text.as_bytes().get(close.wrapping_sub(3)) {
                Some(b'-') => "-",
                Some(b'+') => "+",
                _ => "",
            };
            self.put(close, format!("{{% do __enter({}) {sign}%}}", names.join(", ")));
        }
    }

    /// Before the tag at `tag`, which ends a macro.
    fn leave(&mut self, tag: usize) {
        if self.scopes.pop() == Some(true) {
            let tag = self.start_of(tag);
            let sign = match self.text.as_bytes().get(tag + 2) {
                Some(b'-') => "-",
                Some(b'+') => "+",
                _ => "",
            };
            self.put(tag, format!("{{%{sign} do __leave() %}}"));
        }
    }

    /// Flattens the results of calls between two tokens, but for one that is the whole.
    fn calls(&mut self, from: usize, to: usize, direct: bool) {
        for open in from..to {
            if !self.is(open, &Token::ParenOpen) || open == from || !self.is_callee(open - 1) {
                continue;
            }
            let start = self.callee(from, open - 1);
            if start > from {
                let word = self.ident(start - 1);
                let negated =
                    word == Some("not") && start >= from + 2 && self.ident(start - 2) == Some("is");
                if self.is(start - 1, &Token::Pipe) || word == Some("is") || negated {
                    continue;
                }
            }
            if start + 1 == open && self.ident(start).is_some_and(|name| PLAIN.contains(&name)) {
                continue;
            }
            let close = self.closing(open, to);
            if close == to || direct && start == from && close + 1 == to {
                continue;
            }
            self.put(self.start_of(start), "(");
            self.put(self.end_offset(close), "|__text)");
        }
        // what is put together is counted, so that no long chain of it fills the memory
        for at in from + 1..to {
            let joins = matches!(self.tokens[at].0, Token::Tilde | Token::Plus);
            let operand = match &self.tokens[at - 1].0 {
                Token::Ident(name) => !KEYWORDS.contains(name),
                Token::ParenClose | Token::BracketClose => true,
                _ => false,
            };
            if joins && operand {
                self.put(self.end_offset(at - 1), "|__part");
            }
        }
        self.products(from, to);
    }

    /// Counts what `*` makes: a short text many times is a long one.
    fn products(&mut self, from: usize, to: usize) {
        let mut last = None;
        for at in from + 1..to {
            if !self.is(at, &Token::Mul) {
                continue;
            }
            let (start, end) = (self.product_start(from, at), self.product_end(at, to));
            // `a * b * c` is one product
            if last.replace(start) != Some(start) && end > at + 1 {
                self.put(self.start_of(start), "(");
                self.put(self.end_offset(end - 1), ")|__product");
            }
        }
    }

    /// The first token of the product that holds the operator at `at`.
    fn product_start(&self, from: usize, mut at: usize) -> usize {
        while at > from && !self.ends_product(at - 1) {
            at -= 1;
            if matches!(
                self.tokens[at].0,
                Token::ParenClose | Token::BracketClose | Token::BraceClose
            ) {
                at = self.opening(from, at);
            }
        }
        at
    }

    /// The token after the product that holds the operator at `operator`.
    fn product_end(&self, operator: usize, to: usize) -> usize {
        let mut at = operator + 1;
        while at < to {
            let opens = matches!(
                self.tokens[at].0,
                Token::ParenOpen | Token::BracketOpen | Token::BraceOpen
            );
            if opens {
                at = self.closing(at, to) + 1;
                continue;
            }
            let is_sign = self.is(at, &Token::Minus)
                && matches!(self.tokens[at - 1].0, Token::Mul | Token::Div | Token::FloorDiv);
            let closes = matches!(
                self.tokens[at].0,
                Token::ParenClose | Token::BracketClose | Token::BraceClose
            );
            if closes || self.ends_product(at) && !is_sign {
                break;
            }
            at += 1;
        }
        at.min(to)
    }

    /// True for what no product can hold, unless it is within brackets.
    fn ends_product(&self, at: usize) -> bool {
        match &self.tokens[at].0 {
            Token::Ident(name) => KEYWORDS.contains(name),
            Token::Plus
            | Token::Minus
            | Token::Tilde
            | Token::Comma
            | Token::Colon
            | Token::Assign
            | Token::Eq
            | Token::Ne
            | Token::Gt
            | Token::Gte
            | Token::Lt
            | Token::Lte
            | Token::ParenOpen
            | Token::BracketOpen
            | Token::BraceOpen => true,
            _ => false,
        }
    }

    fn is_callee(&self, at: usize) -> bool {
        match &self.tokens[at].0 {
            Token::Ident(name) => !KEYWORDS.contains(name),
            Token::ParenClose | Token::BracketClose | Token::Str(_) | Token::String(_) => true,
            _ => false,
        }
    }

    /// The first token of the expression that ends at `at`: `a.b[0].c`.
    fn callee(&self, from: usize, mut at: usize) -> usize {
        loop {
            if matches!(self.tokens[at].0, Token::ParenClose | Token::BracketClose) {
                at = self.opening(from, at);
                if at > from && self.is_callee(at - 1) {
                    at -= 1;
                    continue;
                }
                return at;
            }
            if at >= from + 2 && self.is(at - 1, &Token::Dot) {
                at -= 2;
                continue;
            }
            return at;
        }
    }

    fn opening(&self, from: usize, close: usize) -> usize {
        let mut depth = 0usize;
        for at in (from..=close).rev() {
            match self.tokens[at].0 {
                Token::ParenClose | Token::BracketClose | Token::BraceClose => depth += 1,
                Token::ParenOpen | Token::BracketOpen | Token::BraceOpen => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return at;
            }
        }
        from
    }

    fn closing(&self, open: usize, to: usize) -> usize {
        let mut depth = 0usize;
        for at in open..to {
            match self.tokens[at].0 {
                Token::ParenOpen | Token::BracketOpen | Token::BraceOpen => depth += 1,
                Token::ParenClose | Token::BracketClose | Token::BraceClose => {
                    depth = depth.saturating_sub(1);
                }
                _ => {}
            }
            if depth == 0 {
                return at;
            }
        }
        to
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let text: Arc<str> = text.into();
        let prepared = prepare(0, "t.yaml", FileId::NONE, &text, &syntax())
            .expect("a template without faults");
        let mut plain = prepared.source.clone();
        for piece in 0..prepared.pieces.len() {
            plain = plain.replace(&marker::piece(0, piece), "");
        }
        assert_eq!(plain, expected);
        let at = prepared.source.rfind("}}").unwrap_or(0);
        assert_eq!(&text[prepared.original(at)..].get(..2), &prepared.source[at..].get(..2));
    }

    #[test]
    fn expressions_are_announced_and_calls_flattened() {
        check("a: {{ x }}", "a: {%+ do __begin(0) %}{{ x }}");
        check("a: {{- x -}}\n", "a: {%- do __begin(0) %}{{- x -}}\n");
        check("{{ m(1) }}", "{%+ do __begin(0) %}{{ m(1) }}");
        check("{{ h.m(1, n(2)) }}", "{%+ do __begin(0) %}{{ h.m(1, (n(2)|__text)) }}");
        check("{{ m(1) ~ 'a' }}", "{%+ do __begin(0) %}{{ (m(1)|__text)|__part ~ 'a' }}");
        check("{{ m(1)|upper }}", "{%+ do __begin(0) %}{{ (m(1)|__text)|upper }}");
        check("{{ a|default(m(1)) }}", "{%+ do __begin(0) %}{{ a|default((m(1)|__text)) }}");
        check(
            "{% if not x is eq(m()) %}{% endif %}",
            "{% if not x is eq((m()|__text)) %}{% endif %}",
        );
        check("{% for i in range(3) %}{% endfor %}", "{% for i in range(3) %}{% endfor %}");
        check(
            "{% if x in (1, 2) and not (y) %}{% endif %}",
            "{% if x in (1, 2) and not (y) %}{% endif %}",
        );
        check("{% set x = a[0].m(1) %}", "{% set x = ((a[0].m(1)|__text))|__held %}");
        check("{% set a, b = 1, c -%}", "{% set a, b = (1, c)|__held -%}");
        check("{{ super() }}", "{{ super() }}");
    }

    #[test]
    fn what_can_grow_is_weighed() {
        check("{{ a ~ -b + 'c' + 1 }}", "{%+ do __begin(0) %}{{ a|__part ~ -b|__part + 'c' + 1 }}");
        check(
            "{% for x in [a] if x or b %}{% endfor %}",
            "{% for x in ([a])|__bounded if x or b %}{% endfor %}",
        );
        check(
            "{{ ['a' * 2 * n, -b * c[0](1)|f(2 * 3) ~ d] }}",
            "{%+ do __begin(0) %}{{ [('a' * 2 * n)|__product, \
             -(b * (c[0](1)|__text)|f((2 * 3)|__product)|__part)|__product ~ d] }}",
        );
        check("{% if a * -2 > 1 %}{% endif %}", "{% if (a * -2)|__product > 1 %}{% endif %}");
        check(
            "{% with a = b, c = [d, e], f = m(g) %}{% endwith %}",
            "{% with a = b, c = ([d, e])|__bounded, f = ((m(g)|__text))|__bounded %}{% endwith %}",
        );
        check(
            "{% macro m(a, b=[c]) -%}x{%- endmacro %}",
            "{% macro m(a, b=[c]) -%}{% do __enter(a, b) -%}x{%- do __leave() %}{%- endmacro %}",
        );
        check("{% macro m() %}x{% endmacro %}", "{% macro m() %}x{% endmacro %}");
    }

    #[test]
    fn captures_become_text() {
        check(
            "{% set x %}a{% endset -%} b",
            "{% set x %}a{% endset -%}{% set x = x|__capture -%} b",
        );
        check("{% set x|upper %}a{% endset %}", "{% set x|__capture|upper %}a{% endset %}");
        check("{% filter upper %}a{% endfilter %}", "{% filter __capture|upper %}a{% endfilter %}");
        check("{% call m(1) %}a{% endcall %}", "{%+ do __begin(0) %}{% call m(1) %}a{% endcall %}");
        check(
            "{% call m(1) %}a{% endcall %}\nb",
            "{%+ do __begin(0) %}{% call m(1) %}a{% endcall %}\n\nb",
        );
    }
}
