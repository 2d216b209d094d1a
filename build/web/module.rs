//! One ES module: what it imports, what it exports, and its text with other modules' names put in.
//!
//! Only what our pages use is understood; all else ends the build with a message.

mod parser;
mod rename;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use super::fault::{Fault, line_at};
use super::names::{Names, Role, names};
use super::tokens::{Token, tokens};
use super::writer::Writer;
use parser::Parser;
pub use rename::ShortNames;

/// `import { a as b } from './c.js'`: each of its names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import<'a> {
    /// Of the other module, within `web/`.
    pub path: String,
    /// What it exports, and what this module calls that.
    pub names: Vec<(&'a str, &'a str)>,
}

#[derive(Debug)]
pub struct Module<'a> {
    pub path: &'a str,
    pub imports: Vec<Import<'a>>,
    /// What it exports, and what it calls that.
    pub exports: Vec<(&'a str, &'a str)>,
    /// Those with `export` in front of their declarations: they keep their names in an entry.
    exported_where_declared: BTreeSet<&'a str>,
    /// Paths of modules that it imports when they are wanted: `import('./a.js')`.
    pub on_demand: Vec<String>,
    /// Paths of scripts and other files that it names by `new URL('./a.js', import.meta.url)`.
    pub urls: Vec<String>,
    /// Whether it waits for something before it is there, as only a page's own script may.
    pub awaits: bool,
    tokens: Vec<Token<'a>>,
    names: Names<'a>,
    pieces: Vec<Piece>,
    units: Vec<Unit<'a>>,
}

/// A piece of the text; numbers are those of its first token.
#[derive(Debug)]
enum Piece {
    Token(usize),
    /// `export` in front of a declaration: an entry keeps it.
    Export(usize),
    /// `export { a as b };`
    ExportList(Vec<(usize, usize)>),
    /// `import('./a.js')`: the path.
    OnDemand(usize, String),
    /// The string of `new URL('./a.js', import.meta.url)`: the path.
    Url(usize, String),
}

/// Statements at the top of a module.
#[derive(Debug)]
struct Unit<'a> {
    /// The first of its pieces; the last is in front of the next unit's.
    begin: usize,
    /// Can be left out where nothing uses this name: its only statement declares it and does no more.
    declares: Option<&'a str>,
}

/// What a module's text needs of others.
pub trait Places {
    /// In place of `import('./a.js')`.
    fn on_demand(&self, path: &str) -> String;
    /// In place of the string in `new URL('./a.js', import.meta.url)`.
    fn url(&self, path: &str) -> String;
}

/// What is needed of a module.
#[derive(Debug)]
pub struct Live<'a> {
    units: BTreeSet<usize>,
    /// Variables that those use.
    pub variables: BTreeSet<&'a str>,
}

impl<'a> Module<'a> {
    pub fn parse(path: &'a str, source: &'a str) -> Result<Module<'a>, Fault> {
        let tokens = tokens(path, source)?;
        let module = Module {
            path,
            imports: Vec::new(),
            exports: Vec::new(),
            exported_where_declared: BTreeSet::new(),
            on_demand: Vec::new(),
            urls: Vec::new(),
            awaits: false,
            names: names(&tokens),
            tokens: Vec::new(),
            pieces: Vec::new(),
            units: Vec::new(),
        };
        let mut parser = Parser {
            tokens: &tokens,
            at: 0,
            module,
        };
        match parser.run() {
            Ok(()) => {
                let mut module = parser.module;
                module.tokens = tokens;
                Ok(module)
            }
            Err(message) => {
                let offset = tokens.get(parser.at).map_or(source.len(), |it| it.offset);
                Err(Fault::new(path, line_at(source, offset), message))
            }
        }
    }

    /// Whether it has state, or does something when it runs, so that two of it in one page
    /// would not be one.
    pub fn keeps(&self) -> bool {
        let does = |number: usize| {
            let mut tokens = self.tokens_of(number).peekable();
            tokens.peek().is_some() && self.units[number].declares.is_none()
        };
        let mut units = 0..self.units.len();
        !self.on_demand.is_empty()
            || units.any(|number| does(number) || self.has_empty_table(number))
    }

    /// Whether a constant has `[]` or `{}` in it, which is there to be filled.
    fn has_empty_table(&self, unit: usize) -> bool {
        let tokens: Vec<&str> = self
            .tokens_of(unit)
            .map(|at| self.tokens[at].text)
            .collect();
        let is_empty = |pair: &[&str]| matches!(pair, ["[", "]"] | ["{", "}"]);
        tokens.first() == Some(&"const") && tokens.windows(2).any(is_empty)
    }

    /// What of it is needed where these exports are.
    pub fn live(&self, is_needed: impl Fn(&str) -> bool) -> Live<'a> {
        let mut live = Live {
            units: BTreeSet::new(),
            variables: BTreeSet::new(),
        };
        let exports = self
            .exports
            .iter()
            .filter(|(exported, _)| is_needed(exported));
        live.variables.extend(exports.map(|(_, local)| *local));
        loop {
            let before = live.units.len();
            for (number, unit) in self.units.iter().enumerate() {
                let is_live = unit
                    .declares
                    .is_none_or(|name| live.variables.contains(name));
                if is_live && live.units.insert(number) {
                    live.variables.extend(self.variables_in(number));
                }
            }
            if live.units.len() == before {
                return live;
            }
        }
    }

    fn pieces_of(&self, unit: usize) -> &[Piece] {
        let end = self
            .units
            .get(unit + 1)
            .map_or(self.pieces.len(), |it| it.begin);
        &self.pieces[self.units[unit].begin..end]
    }

    fn tokens_of(&self, unit: usize) -> impl Iterator<Item = usize> {
        self.pieces_of(unit).iter().filter_map(|piece| match piece {
            Piece::Token(at) => Some(*at),
            _ => None,
        })
    }

    fn variables_in(&self, unit: usize) -> impl Iterator<Item = &'a str> {
        let is_variable =
            |at: &usize| matches!(self.names.roles[*at], Role::Variable | Role::Shorthand);
        self.tokens_of(unit)
            .filter(is_variable)
            .map(|at| self.tokens[at].text)
    }

    /// Its live statements but for its imports. `is_entry`: with its exports. `names`: for what it has at its top.
    pub fn write(
        &self,
        is_entry: bool,
        live: &Live<'a>,
        names: &ShortNames<'a>,
        places: &dyn Places,
    ) -> String {
        let renamed = self.rename(is_entry, live, names, places);
        let mut writer = Writer::default();
        for piece in live.units.iter().flat_map(|unit| self.pieces_of(*unit)) {
            match piece {
                Piece::Token(at) if self.names.needless.contains(at) => {
                    writer.skip(&self.tokens[*at]);
                }
                Piece::Token(at) => {
                    let token = self.tokens[*at];
                    let other = Token {
                        text: renamed.get(at).map_or(token.text, String::as_str),
                        ..token
                    };
                    let is_constants = self.names.constants.contains(at);
                    match self.names.roles[*at] {
                        Role::Other if is_constants && token.is_sign(";") => {
                            writer.end_constants(&token);
                        }
                        Role::Other if is_constants => writer.begin_constants(&token),
                        Role::Other => writer.put(&token),
                        Role::Variable | Role::Private => writer.put(&other),
                        Role::Shorthand if other.text == token.text => writer.put(&token),
                        Role::Shorthand => writer.put_pair(&token, &other),
                    }
                }
                Piece::Export(at) if is_entry => writer.put(&self.tokens[*at]),
                Piece::Export(at) => writer.skip(&self.tokens[*at]),
                Piece::ExportList(list) if is_entry => {
                    let pair = |(local, exported): &(usize, usize)| {
                        let local = self.tokens[*local].text;
                        let short = names.get(local).map_or(local, String::as_str);
                        format!("{short} as {}", self.tokens[*exported].text)
                    };
                    let list: Vec<_> = list.iter().map(pair).collect();
                    writer.put_lines(&format!("export{{{}}};", list.join(",")));
                }
                Piece::ExportList(_) => {}
                Piece::OnDemand(at, path) => {
                    writer.put_in_place(&self.tokens[*at], &places.on_demand(path));
                }
                Piece::Url(at, path) => {
                    writer.put_in_place(&self.tokens[*at], &format!("'{}'", places.url(path)));
                }
            }
        }
        writer.finish()
    }
}
