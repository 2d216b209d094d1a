//! One ES module: what it imports, what it exports, and its text with other modules' names put in.
//!
//! Only what our pages use is understood; all else ends the build with a message.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::fault::{Fault, line_at};
use super::names::{Extent, Names, Role, names, short_names};
use super::tokens::{Kind, Token, Writer, tokens};

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

/// Shorter names, by those that they stand for.
pub type ShortNames<'a> = BTreeMap<&'a str, String>;

/// Which variables a module uses.
#[derive(Default)]
pub struct Uses<'a> {
    /// How often those that it declares at its top, or imports.
    pub own: BTreeMap<&'a str, usize>,
    /// Those of elsewhere, and exports of an entry, which keep their names.
    pub others: BTreeSet<&'a str>,
}

/// What a name in a module's text stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Meaning<'a> {
    /// A variable that the module declares at its top, or imports.
    Own(&'a str),
    /// One of a function or of a block.
    Inner(&'a str, Extent),
    /// One of elsewhere.
    Other(&'a str),
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

    /// What each name stands for that is a variable.
    fn meanings(&self, is_entry: bool, live: &Live<'a>) -> Vec<(usize, Meaning<'a>)> {
        let own = self.own_names(is_entry);
        let mut extents: BTreeMap<&str, BTreeSet<Extent>> = BTreeMap::new();
        for (at, extent) in &self.names.inner {
            let of_name = extents.entry(self.tokens[*at].text).or_default();
            of_name.insert(*extent);
        }
        let units = live.units.iter();
        let tokens = units.flat_map(|unit| self.tokens_of(*unit));
        let is_variable =
            |at: &usize| matches!(self.names.roles[*at], Role::Variable | Role::Shorthand);
        let meaning = |at: usize| {
            let name = self.tokens[at].text;
            let around = extents.get(name).into_iter().flatten();
            // The innermost begins last.
            let innermost = around.filter(|extent| extent.has(at)).next_back();
            match innermost {
                _ if own.contains(name) => Meaning::Own(name),
                Some(extent) => Meaning::Inner(name, *extent),
                None => Meaning::Other(name),
            }
        };
        let tokens = tokens.filter(is_variable);
        tokens.map(|at| (at, meaning(at))).collect()
    }

    pub fn uses(&self, is_entry: bool, live: &Live<'a>) -> Uses<'a> {
        let mut uses = Uses::default();
        for (_, meaning) in self.meanings(is_entry, live) {
            match meaning {
                Meaning::Own(name) => *uses.own.entry(name).or_default() += 1,
                Meaning::Inner(..) => {}
                Meaning::Other(name) => drop(uses.others.insert(name)),
            }
        }
        uses
    }

    /// Shorter names, by their tokens. What functions declare has the same few names in each, by the order in which
    /// it comes, so that functions look alike, and compress well.
    fn rename(
        &self,
        is_entry: bool,
        live: &Live<'a>,
        names: &ShortNames<'a>,
        places: &dyn Places,
    ) -> BTreeMap<usize, String> {
        let meanings = self.meanings(is_entry, live);
        let handed_over = self.handed_over(live, places);
        let mut inner: Vec<(&str, Extent)> = Vec::new();
        for (_, meaning) in &meanings {
            if let Meaning::Inner(name, extent) = *meaning
                && !inner.contains(&(name, extent))
            {
                inner.push((name, extent));
            }
        }
        // Outer ones first.
        inner.sort_by_key(|(_, extent)| (extent.begin, Reverse(extent.end)));
        let mut short: BTreeMap<Meaning<'a>, String> = BTreeMap::new();
        for (_, meaning) in &meanings {
            if let Meaning::Own(name) | Meaning::Other(name) = meaning {
                let called = names.get(name).cloned();
                short.insert(*meaning, called.unwrap_or_else(|| (*name).to_owned()));
            }
        }
        for (name, extent) in inner {
            // A function may hide what it does not name, also itself.
            let named = meanings.iter().filter(|(at, meaning)| {
                let is_beside = matches!(meaning, Meaning::Inner(_, other) if *other == extent);
                is_beside || extent.has(*at) && !self.names.top.contains(at)
            });
            let named = named.filter_map(|(_, meaning)| short.get(meaning));
            let handed_over = handed_over.iter().filter(|(at, _)| extent.has(*at));
            let taken = named.chain(handed_over.map(|(_, word)| word));
            let taken: BTreeSet<&str> = taken.map(String::as_str).collect();
            let free = short_names(&taken).next();
            short.insert(
                Meaning::Inner(name, extent),
                free.unwrap_or_else(|| name.to_owned()),
            );
        }
        let variables = meanings.iter();
        let mut renamed: BTreeMap<usize, String> = variables
            .map(|(at, meaning)| (*at, short[meaning].clone()))
            .collect();
        for unit in &live.units {
            renamed.extend(self.rename_privates(*unit));
        }
        renamed
    }

    /// Shorter private names in one statement at the top.
    fn rename_privates(&self, unit: usize) -> Vec<(usize, String)> {
        let privates = || {
            self.tokens_of(unit)
                .filter(|at| self.names.roles[*at] == Role::Private)
        };
        let mut came: Vec<&str> = Vec::new();
        for at in privates() {
            if !came.contains(&self.tokens[at].text) {
                came.push(self.tokens[at].text);
            }
        }
        let none = BTreeSet::new();
        let short: ShortNames<'_> = came.into_iter().zip(short_names(&none)).collect();
        let renamed = privates().map(|at| (at, format!("#{}", short[self.tokens[at].text])));
        renamed.collect()
    }

    /// Words in what stands in place of imports on demand: variables of the script that no function there may hide.
    fn handed_over(&self, live: &Live<'a>, places: &dyn Places) -> Vec<(usize, String)> {
        let mut all = Vec::new();
        for piece in live.units.iter().flat_map(|unit| self.pieces_of(*unit)) {
            if let Piece::OnDemand(at, path) = piece {
                let text = places.on_demand(path);
                let words = text.split(|c: char| !c.is_ascii_alphanumeric());
                all.extend(words.map(|word| (*at, word.to_owned())));
            }
        }
        all
    }

    /// Names that stand for the same in all of the module, and that it declares or imports.
    pub fn own_names(&self, is_entry: bool) -> BTreeSet<&'a str> {
        let imported = self.imports.iter().flat_map(|import| &import.names);
        let mut own: BTreeSet<&str> = imported.map(|(_, local)| *local).collect();
        own.extend(&self.names.declared);
        if is_entry {
            own.retain(|name| !self.exported_where_declared.contains(name));
        }
        own
    }
}

struct Parser<'t, 'a> {
    tokens: &'t [Token<'a>],
    at: usize,
    module: Module<'a>,
}

impl<'a> Parser<'_, 'a> {
    fn run(&mut self) -> Result<(), String> {
        let mut depth = 0_usize;
        let mut begins_statement = true;
        while let Some(token) = self.peek(0) {
            // A semicolon behind a block is the end of the same statement.
            if depth == 0 && begins_statement && !token.is_sign(";") {
                self.begin_unit();
            }
            if depth == 0 && begins_statement && token.is_name("import") && self.is_declaration() {
                self.import()?;
                continue;
            }
            if depth == 0 && begins_statement && token.is_name("export") {
                self.export()?;
                // What it declares follows as it is.
                begins_statement = false;
                continue;
            }
            if token.is_name("import") && !self.follows_dot() && self.on_demand()? {
                begins_statement = false;
                continue;
            }
            if token.is_name("new") && self.url()? {
                // Its parenthesis is open.
                depth += 1;
                begins_statement = false;
                continue;
            }
            match (token.kind, token.text) {
                (Kind::Sign, "{" | "(" | "[") => depth += 1,
                (Kind::Sign, "}" | ")" | "]") => depth -= 1,
                (Kind::Name, "await") => self.module.awaits |= depth == 0,
                _ => {}
            }
            begins_statement = token.is_sign(";") || token.is_sign("}");
            self.keep();
        }
        Ok(())
    }

    /// A statement begins here.
    fn begin_unit(&mut self) {
        let ahead = usize::from(self.peek(0).is_some_and(|it| it.is_name("export")));
        let declares = self.declares(ahead);
        self.module.units.push(Unit {
            begin: self.module.pieces.len(),
            declares,
        });
    }

    /// The name that a statement declares which does nothing but that.
    fn declares(&self, ahead: usize) -> Option<&'a str> {
        let is = |at: usize, text: &str| self.peek(at).is_some_and(|it| it.text == text);
        let name = |at: usize| self.peek(at).filter(|it| it.kind == Kind::Name);
        let after = |at: usize| at + usize::from(is(at, "async"));
        let begin = after(ahead);
        if is(begin, "function") {
            let named = begin + 1 + usize::from(is(begin + 1, "*"));
            return Some(name(named)?.text);
        }
        if is(ahead, "class") && is(ahead + 2, "{") {
            let end = self.module.names.partners.get(&(self.at + ahead + 2))?;
            let mut body = self.tokens[self.at + ahead..*end].iter();
            // A static field has a value, and a computed name is one.
            let is_plain = body.all(|it| !it.is_name("static"));
            return is_plain.then_some(name(ahead + 1)?.text);
        }
        if is(ahead, "const") && is(ahead + 2, "=") {
            let declared = name(ahead + 1)?.text;
            let value = ahead + 3;
            let mut end = value;
            while !is(end, ";") {
                if is(end, ",") {
                    return None;
                }
                let at = self.at + end;
                end = self.module.names.partners.get(&at).map_or(at, |it| *it) - self.at + 1;
                self.peek(end)?;
            }
            let value = &self.tokens[self.at + value..self.at + end];
            return is_pure(value).then_some(declared);
        }
        None
    }

    fn peek(&self, ahead: usize) -> Option<Token<'a>> {
        self.tokens.get(self.at + ahead).copied()
    }

    fn keep(&mut self) {
        self.module.pieces.push(Piece::Token(self.at));
        self.at += 1;
    }

    fn follows_dot(&self) -> bool {
        let before = self.at.checked_sub(1).map(|at| self.tokens[at]);
        before.is_some_and(|it| it.is_sign(".") || it.is_sign("?."))
    }

    /// Rather than `import(…)` or `import.meta`.
    fn is_declaration(&self) -> bool {
        !self
            .peek(1)
            .is_some_and(|it| it.is_sign("(") || it.is_sign("."))
    }

    fn take(&mut self, text: &str) -> Result<(), String> {
        match self.peek(0) {
            Some(token) if token.text == text => {
                self.at += 1;
                Ok(())
            }
            _ => Err(format!("expected {text}")),
        }
    }

    fn has(&mut self, text: &str) -> bool {
        let is_there = self.peek(0).is_some_and(|it| it.text == text);
        self.at += usize::from(is_there);
        is_there
    }

    fn take_name(&mut self) -> Result<usize, String> {
        match self.peek(0) {
            Some(token) if token.kind == Kind::Name => {
                self.at += 1;
                Ok(self.at - 1)
            }
            _ => Err("expected a name".into()),
        }
    }

    /// A string that names another file.
    fn take_path(&mut self) -> Result<String, String> {
        match self.peek(0) {
            Some(token) if token.kind == Kind::Text => {
                let path = resolve(self.module.path, &token.text[1..token.text.len() - 1])?;
                self.at += 1;
                Ok(path)
            }
            _ => Err("expected the path of a file".into()),
        }
    }

    /// `{ a, b as c }`: where the two names of each are.
    fn take_list(&mut self) -> Result<Vec<(usize, usize)>, String> {
        let mut names = Vec::new();
        self.take("{")?;
        while !self.has("}") {
            let name = self.take_name()?;
            let other = if self.has("as") {
                self.take_name()?
            } else {
                name
            };
            names.push((name, other));
            if !self.has(",") {
                self.take("}")?;
                break;
            }
        }
        Ok(names)
    }

    fn import(&mut self) -> Result<(), String> {
        self.take("import")?;
        let names = if self.peek(0).is_some_and(|it| it.kind == Kind::Text) {
            Vec::new()
        } else if self.peek(0).is_some_and(|it| it.is_sign("{")) {
            let names = self.take_list()?;
            self.take("from")?;
            let text = |at: usize| self.tokens[at].text;
            names
                .into_iter()
                .map(|(name, local)| (text(name), text(local)))
                .collect()
        } else {
            return Err("no default import and no *: name what is imported".into());
        };
        let path = self.take_path()?;
        self.take(";")?;
        self.module.imports.push(Import { path, names });
        Ok(())
    }

    fn export(&mut self) -> Result<(), String> {
        let export = self.at;
        self.at += 1;
        let first = self.peek(0).map_or("", |it| it.text);
        match first {
            "{" => {
                let names = self.take_list()?;
                let text = |at: usize| self.tokens[at].text;
                let flipped = names
                    .iter()
                    .map(|(local, exported)| (text(*exported), text(*local)));
                self.module.exports.extend(flipped);
                if self.has("from") {
                    return Err("import it, then export it".into());
                }
                self.take(";")?;
                self.module.pieces.push(Piece::ExportList(names));
                return Ok(());
            }
            "async" | "function" => {
                let mut ahead = 0;
                while self.peek(ahead).is_some_and(|it| {
                    it.is_name("async") || it.is_name("function") || it.is_sign("*")
                }) {
                    ahead += 1;
                }
                self.export_name(ahead)?;
            }
            "class" => self.export_name(1)?,
            "const" => self.export_constants()?,
            "let" | "var" => {
                return Err("no exported variables: export a constant or a function".into());
            }
            "default" => return Err("no default exports: export it by its name".into()),
            _ => return Err("expected what is exported".into()),
        }
        self.module.pieces.push(Piece::Export(export));
        Ok(())
    }

    fn export_name(&mut self, ahead: usize) -> Result<(), String> {
        match self.peek(ahead) {
            Some(token) if token.kind == Kind::Name => {
                self.module.exports.push((token.text, token.text));
                self.module.exported_where_declared.insert(token.text);
                Ok(())
            }
            _ => Err("expected a name".into()),
        }
    }

    /// `const a = …, b = …;`
    fn export_constants(&mut self) -> Result<(), String> {
        self.export_name(1)?;
        let (mut ahead, mut depth) = (0, 0_usize);
        while let Some(token) = self.peek(ahead) {
            match (token.kind, token.text) {
                (Kind::Sign, "{" | "(" | "[") => depth += 1,
                (Kind::Sign, "}" | ")" | "]") => depth = depth.saturating_sub(1),
                (Kind::Sign, ";") if depth == 0 => return Ok(()),
                (Kind::Sign, ",") if depth == 0 => self.export_name(ahead + 1)?,
                _ => {}
            }
            ahead += 1;
        }
        Err("expected the end of what is exported".into())
    }

    /// `import('./a.js')`. False for `import.meta`.
    fn on_demand(&mut self) -> Result<bool, String> {
        if !self.peek(1).is_some_and(|it| it.is_sign("(")) {
            return Ok(false);
        }
        let token = self.at;
        self.at += 2;
        let path = self.take_path()?;
        self.take(")")?;
        self.module.on_demand.push(path.clone());
        self.module.pieces.push(Piece::OnDemand(token, path));
        Ok(true)
    }

    /// `new URL('./a.js', import.meta.url)`. False for any other.
    fn url(&mut self) -> Result<bool, String> {
        const AROUND: [&str; 9] = ["new", "URL", "(", "", ",", "import", ".", "meta", "."];
        for (ahead, text) in AROUND.into_iter().enumerate() {
            let fits = |it: Token<'_>| match text {
                "" => it.kind == Kind::Text,
                _ => it.text == text,
            };
            if !self.peek(ahead).is_some_and(fits) {
                return Ok(false);
            }
        }
        for _ in 0..3 {
            self.keep();
        }
        let token = self.at;
        let path = self.take_path()?;
        self.module.urls.push(path.clone());
        self.module.pieces.push(Piece::Url(token, path));
        Ok(true)
    }
}

/// Whether making a value does nothing else: a function, or one without calls and without properties of
/// others.
fn is_pure(value: &[Token<'_>]) -> bool {
    let first = usize::from(value.first().is_some_and(|it| it.is_name("async")));
    let is_arrow = match value.get(first) {
        Some(token) if token.is_sign("(") => {
            let mut depth = 0_usize;
            let end = value.iter().position(|it| {
                depth += usize::from(it.is_sign("("));
                depth -= usize::from(it.is_sign(")"));
                depth == 0 && it.is_sign(")")
            });
            end.is_some_and(|end| value.get(end + 1).is_some_and(|it| it.is_sign("=>")))
        }
        Some(_) => value.get(first + 1).is_some_and(|it| it.is_sign("=>")),
        None => false,
    };
    is_arrow
        || value.iter().all(|it| match it.kind {
            Kind::Sign => !["(", ".", "?.", "=>", "...", "++", "--"].contains(&it.text),
            Kind::Template => it.text.starts_with('`') && it.text.ends_with('`'),
            Kind::Name => {
                !["new", "await", "yield", "delete", "class", "function"].contains(&it.text)
            }
            Kind::Number | Kind::Text | Kind::Regex => true,
        })
}

/// The path within `web/` of what the file `from` calls `reference`.
fn resolve(from: &str, reference: &str) -> Result<String, String> {
    if !(reference.starts_with("./") || reference.starts_with("../")) {
        return Err(format!(
            "{reference} is no file of ours: begin with ./ or ../"
        ));
    }
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in reference.split('/') {
        match part {
            "." => {}
            ".." => {
                parts
                    .pop()
                    .ok_or_else(|| format!("{reference} is outside web/"))?;
            }
            part => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::super::names::short_names_by_use;
    use super::*;

    struct Named;

    impl Places for Named {
        fn on_demand(&self, path: &str) -> String {
            format!("load({path})")
        }

        fn url(&self, path: &str) -> String {
            format!("./{path}")
        }
    }

    fn parse(source: &str) -> Module<'_> {
        Module::parse("a/b.js", source).unwrap_or_else(|fault| panic!("{fault}"))
    }

    fn fault(source: &str) -> String {
        Module::parse("a/b.js", source).unwrap_err().to_string()
    }

    /// All of a module, or what is needed where `needed` is.
    fn write(source: &str, is_entry: bool, needed: &[&str]) -> String {
        let module = parse(source);
        let live = module.live(|it| is_entry || needed.contains(&it));
        let uses = module.uses(is_entry, &live);
        let names = short_names_by_use(uses.own, &uses.others);
        module.write(is_entry, &live, &names, &Named)
    }

    #[test]
    fn imports_and_exports_are_taken_out() {
        let source = "// Why.\nimport { c, d as e } from './c.js';\nimport './g.js';\n\
             export const H = [1, 2], I = { j: 1, k: (1, 2) };\nexport function* l() {}\n\
             export async function m() { return import.meta.url; }\nexport class N {}\nconst o = 1;\nexport { o as p, H as q };\n";
        let module = parse(source);
        let import = |path: &str, names: &[(&'static str, &'static str)]| Import {
            path: path.into(),
            names: names.to_vec(),
        };
        assert_eq!(
            module.imports,
            [
                import("a/c.js", &[("c", "c"), ("d", "e")]),
                import("a/g.js", &[])
            ]
        );
        let exports = ["H", "I", "l", "m", "N"].map(|name| (name, name));
        assert_eq!(
            module.exports,
            [&exports[..], &[("p", "o"), ("q", "H")]].concat()
        );
        assert_eq!(
            write(source, false, &["H", "I", "l", "m", "N", "p"]),
            "const a=[1,2],b={j:1,k:(1,2)};function*d(){}\nasync function e(){return import.meta.url}\nclass c{}\nconst f=1;\n"
        );
        assert_eq!(
            write(source, true, &[]),
            "export const H=[1,2],I={j:1,k:(1,2)};export function*l(){}\nexport async function m(){return import.meta.url}\n\
             export class N{}\nconst a=1;\nexport{a as p,H as q};\n"
        );
    }

    #[test]
    fn what_is_loaded_later_is_named_anew() {
        let source = "const a = await import('../c/d.js').catch(() => b);\n\
             new Worker(new URL('./e.js', import.meta.url), { type: 'module' });\nnew URL('./f.js', g);\n";
        let module = parse(source);
        assert_eq!(module.on_demand, ["c/d.js"]);
        assert_eq!(module.urls, ["a/e.js"]);
        assert_eq!(
            write(source, false, &[]),
            "const a=await load(c/d.js).catch(()=>b);\
             new Worker(new URL('./a/e.js',import.meta.url),{type:'module'});new URL('./f.js',g);\n"
        );
    }

    #[test]
    fn words_within_a_module_are_no_imports() {
        let source =
            "a.import('./b.js');const c={import:1,export:2};f(`import { a } from './c.js';`,c);\n";
        let module = parse(source);
        assert!(
            module.imports.is_empty() && module.on_demand.is_empty() && module.exports.is_empty()
        );
        assert_eq!(
            write(source, false, &[]),
            source.replace("const c", "const b").replace(",c)", ",b)")
        );
    }

    #[test]
    fn variables_get_short_names_and_nothing_else_does() {
        for (source, written) in [
            // What is not declared here stays, and its name is taken.
            (
                "let long = a; f(long, long); let other;",
                "let b=a;f(b,b);let c;",
            ),
            (
                "function f(one, { two, three: four }) { return { one, two: four, two }; } f();",
                "function a(a,{two:b,three:c}){return{one:a,two:c,two:b}}a();",
            ),
            (
                "const { a = b } = c; d(a.e, { a });",
                "const{a=b}=c;d(a.e,{a});",
            ),
            // Names that a function declares, and that are the browser's elsewhere.
            (
                "function f(name) { return name; } f(window.name, name);",
                "function a(a){return a}a(window.name,name);",
            ),
            (
                "function f(location) { return location; } f(location);",
                "function a(a){return a}a(location);",
            ),
            // Each function has the same few names, but for those of the module that it uses.
            (
                "const one = 1; function f(two) { g(two, one); } function g(three, four) { four(three); } f();",
                "const c=1;function a(a){b(a,c)}function b(a,b){b(a)}a();",
            ),
            (
                "class A { #long = 1; long(one) { return this.#long + this.long; } #other(two) { two(b); } } new A(b);",
                "class a{#a=1;long(a){return this.#a+this.long}#b(a){a(b)}}new a(b);",
            ),
            (
                "class A { a(one) { return class { b(two) { one + two; } }; } } new A();",
                "class a{a(a){return class{b(b){a+b}}}}new a();",
            ),
            // A variable of the module is one in all functions, also where one declares the name anew.
            (
                "let one; function f(one) { one; } function g(two) { one; } f(g);",
                "let a;function b(a){a}function c(b){a}b(c);",
            ),
            (
                "f((one) => one, async (two) => two, (three, four) => four, (five) => ({ five }));",
                "f(a=>a,async a=>a,(a,b)=>b,a=>({five:a}));",
            ),
            (
                "f(one, (...two) => two, ({ three }) => three);",
                "f(one,(...a)=>a,({three:a})=>a);",
            ),
            (
                "const one = f(); const two = f(one, two); let three; const four = f(); for (const five = 1; ; ) {} const six = f();",
                "const a=f(),b=f(a,b);let e;const c=f();for(const a=1;;){}const d=f();",
            ),
            (
                "let one; f(`${one} one`, 'one', /one/);",
                "let a;f(`${a} one`,'one',/one/);",
            ),
        ] {
            assert_eq!(write(source, false, &[]).trim_end(), written, "{source}");
        }
    }

    #[test]
    fn no_function_hides_what_it_hands_over() {
        struct Handing;
        impl Places for Handing {
            fn on_demand(&self, _: &str) -> String {
                "load(()=>[a,c])".to_owned()
            }

            fn url(&self, path: &str) -> String {
                path.to_owned()
            }
        }
        let module = parse("const f = (one, two) => import('./c.js').then(two, one);");
        let live = module.live(|_| true);
        let names = ShortNames::from([("f", "c".to_owned())]);
        let is_entry = true;
        // Of nothing else, it would not be needed.
        let module = Module {
            units: module
                .units
                .into_iter()
                .map(|it| Unit {
                    declares: None,
                    ..it
                })
                .collect(),
            ..module
        };
        let live = Live {
            units: BTreeSet::from([0]),
            ..live
        };
        assert_eq!(
            module.write(is_entry, &live, &names, &Handing),
            "const c=(b,d)=>load(()=>[a,c]).then(d,b);\n"
        );
    }

    #[test]
    fn what_nothing_needs_is_left_out() {
        for (source, written) in [
            (
                "export function f() { g(); }\nfunction g() { h; }\nexport function other() { i(); }\nfunction i() {}",
                "function a(){b()}\nfunction b(){h}",
            ),
            (
                "const A = [1, 'a', /b/, { c: -1 }];\nexport const f = 1;",
                "const a=1;",
            ),
            (
                "const a = () => { b(); };\nconst c = async (d) => d.e();\nexport const f = 1;",
                "const a=1;",
            ),
            (
                "export class A { #b = 1; c() {} }\nexport const f = 1;",
                "const a=1;",
            ),
            // These may do something.
            ("const a = b(); export const f = 1;", "const c=b(),d=1;"),
            ("const a = b.c; export const f = 1;", "const c=b.c,d=1;"),
            (
                "const a = (() => b)(); export const f = 1;",
                "const c=(()=>b)(),d=1;",
            ),
            (
                "const a = 1, c = b(); export const f = 1;",
                "const d=1,e=b(),c=1;",
            ),
            (
                "const a = `${b}`; export const f = 1;",
                "const c=`${b}`,d=1;",
            ),
            ("let a = 1; export const f = 1;", "let b=1;const c=1;"),
            (
                "class A { static b = c(); } export const f = 1;",
                "class a{static b=c()}\nconst d=1;",
            ),
            (
                "class A extends b() {} export const f = 1;",
                "class a extends b(){}\nconst c=1;",
            ),
        ] {
            let made = write(source, false, &["f"]);
            let pattern = |text: &str| {
                // Which of two names that are as frequent comes first does not matter here.
                text.replace('\n', "")
                    .split(|c: char| c.is_ascii_lowercase())
                    .collect::<Vec<_>>()
                    .join("_")
            };
            assert_eq!(pattern(&made), pattern(written), "{source}: {made}");
        }
    }

    #[test]
    fn module_keeps_what_changes_between_calls() {
        for (source, keeps) in [
            (
                "import { b } from './b.js';\nconst A = [1, { c: 2 }];\nexport function f() { let d = []; b(d); }",
                false,
            ),
            ("class A { #b = []; }\nexport { A as B };", false),
            ("export const f = (a) => a;", false),
            ("let a = 1;", true),
            ("const a = [];", true),
            ("const a = { b: {} };", true),
            ("const a = new Map();", true),
            ("class A { static b = 1; }", true),
            ("a();", true),
            ("const f = () => import('./b.js');", true),
        ] {
            assert_eq!(parse(source).keeps(), keeps, "{source}");
        }
    }

    #[test]
    fn what_a_bundle_cannot_keep_ends_the_build() {
        for (source, expected) in [
            ("\nexport let a = 1;", "web/a/b.js:2: no exported variables"),
            ("export default a;", "web/a/b.js:1: no default exports"),
            (
                "export * from './c.js';",
                "web/a/b.js:1: expected what is exported",
            ),
            (
                "export { a } from './c.js';",
                "web/a/b.js:1: import it, then export it",
            ),
            ("import a from './c.js';", "web/a/b.js:1: no default import"),
            (
                "import * as a from './c.js';",
                "web/a/b.js:1: no default import and no *",
            ),
            (
                "import { a } from 'c';",
                "web/a/b.js:1: c is no file of ours",
            ),
            (
                "import '../../c.js';",
                "web/a/b.js:1: ../../c.js is outside web/",
            ),
            ("import { a } from './c.js'", "web/a/b.js:1: expected ;"),
            ("import(a);", "web/a/b.js:1: expected the path"),
            ("export const { a } = b;", "web/a/b.js:1: expected a name"),
        ] {
            let fault = fault(source);
            assert!(fault.starts_with(expected), "{source}: {fault}");
        }
    }
}
