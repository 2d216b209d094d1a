//! One ES module: what it imports, what it exports, and its text with other modules' names put in.
//!
//! Only what our pages use is understood; all else ends the build with a message.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::fault::{Fault, line_at};
use super::names::{LARGE_FIRST, Names, Role, SMALL_FIRST, may_change, names, short_names};
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

/// A module's text, and what its variables are called in it.
pub struct Written<'a> {
    pub text: String,
    renamed: Renamed<'a>,
}

impl Written<'_> {
    /// What the module's variable `name` is called.
    pub fn name<'n>(&'n self, name: &'n str) -> &'n str {
        self.renamed.module.get(name).map_or(name, String::as_str)
    }
}

/// A part of a module whose functions' own variables are no other part's: a statement at its top, or a member
/// of a class there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Section {
    unit: usize,
    member: usize,
}

/// Shorter names, by those that they stand for.
type ShortNames<'a> = BTreeMap<&'a str, String>;

/// The variables of a section.
#[derive(Default)]
struct SectionNames<'a> {
    /// As they come.
    used: Vec<&'a str>,
    /// Those that functions and blocks in it declare.
    declared: BTreeSet<&'a str>,
}

impl<'a> SectionNames<'a> {
    /// Those that the module or another place declares.
    fn others(&self) -> impl Iterator<Item = &'a str> {
        let used = self.used.iter().copied();
        used.filter(|name| !self.declared.contains(name))
    }
}

/// What is called otherwise.
#[derive(Default)]
struct Renamed<'a> {
    /// What all of the module has.
    module: ShortNames<'a>,
    /// What functions and blocks have for themselves.
    inner: BTreeMap<Section, ShortNames<'a>>,
    /// Private names, by statements at the top.
    privates: BTreeMap<usize, ShortNames<'a>>,
}

impl<'a> Module<'a> {
    pub fn parse(path: &'a str, source: &'a str) -> Result<Module<'a>, Fault> {
        let tokens = tokens(path, source)?;
        let module = Module {
            path,
            imports: Vec::new(),
            exports: Vec::new(),
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

    /// Its live statements but for its imports. `is_entry`: with its exports.
    pub fn write(&self, is_entry: bool, live: &Live<'a>, places: &dyn Places) -> Written<'a> {
        let renamed = self.rename(is_entry, live);
        let mut writer = Writer::default();
        let pieces = live.units.iter().flat_map(|unit| {
            let pieces = self.pieces_of(*unit).iter();
            pieces.map(|piece| (*unit, piece))
        });
        for (unit, piece) in pieces {
            match piece {
                Piece::Token(at) => {
                    let token = self.tokens[*at];
                    let other = Token {
                        text: self.new_name(unit, *at, &renamed),
                        ..token
                    };
                    match self.names.roles[*at] {
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
                        let local = self.new_name(unit, *local, &renamed);
                        format!("{local} as {}", self.tokens[*exported].text)
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
        Written {
            text: writer.finish(),
            renamed,
        }
    }

    fn section(&self, unit: usize, at: usize) -> Section {
        let member = self.names.members[at];
        Section { unit, member }
    }

    /// What the name at this token is called.
    fn new_name<'n>(&'n self, unit: usize, at: usize, renamed: &'n Renamed<'a>) -> &'n str {
        let text = self.tokens[at].text;
        let inner = || renamed.inner.get(&self.section(unit, at))?.get(text);
        let short = match self.names.roles[at] {
            Role::Private => renamed
                .privates
                .get(&unit)
                .and_then(|names| names.get(text)),
            _ => inner().or_else(|| renamed.module.get(text)),
        };
        short.map_or(text, String::as_str)
    }

    /// Shorter names for variables and private names that it declares. What a function declares has the same
    /// few names in each, by the order in which it comes: so functions look alike, and compress well. What all
    /// of the module has gets others as far as there are, the shortest for the most frequent.
    fn rename(&self, is_entry: bool, live: &Live<'a>) -> Renamed<'a> {
        let own = self.own_names(is_entry);
        let mut renamed = Renamed::default();
        let mut counts: BTreeMap<&'a str, usize> = BTreeMap::new();
        let mut sections: BTreeMap<Section, SectionNames<'a>> = BTreeMap::new();
        let mut privates = BTreeMap::new();
        let live = live.units.iter();
        let tokens = live.flat_map(|unit| self.tokens_of(*unit).map(|at| (*unit, at)));
        for (unit, at) in tokens {
            let text = self.tokens[at].text;
            match self.names.roles[at] {
                Role::Other => {}
                Role::Private => {
                    let privates: &mut Vec<&str> = privates.entry(unit).or_default();
                    if !privates.contains(&text) {
                        privates.push(text);
                    }
                }
                Role::Variable | Role::Shorthand => {
                    *counts.entry(text).or_default() += 1;
                    let section = sections.entry(self.section(unit, at)).or_default();
                    if !section.used.contains(&text) {
                        section.used.push(text);
                    }
                    let is_inner = self.names.inner.contains(&at);
                    if is_inner && !own.contains(text) && may_change(text) {
                        section.declared.insert(text);
                    }
                }
            }
        }
        // Those of the module, and of elsewhere.
        let others = sections.values().flat_map(SectionNames::others);
        let (module, elsewhere): (BTreeSet<&str>, BTreeSet<&str>) =
            others.partition(|name| own.contains(name) && may_change(name));
        counts.retain(|name, _| module.contains(name));
        let mut module: Vec<(&str, usize)> = counts.into_iter().collect();
        module.sort_by_key(|(_, count)| Reverse(*count));
        let module = module.into_iter().map(|(name, _)| name);
        renamed.module = module.zip(short_names(LARGE_FIRST, &elsewhere)).collect();
        for (section, names) in sections {
            let others = names.others();
            let taken = others.map(|name| renamed.module.get(name).map_or(name, String::as_str));
            let taken: BTreeSet<&str> = taken.collect();
            let inner = names.used.iter().copied();
            let inner = inner.filter(|name| names.declared.contains(name));
            let short = inner.zip(short_names(SMALL_FIRST, &taken)).collect();
            renamed.inner.insert(section, short);
        }
        for (unit, names) in privates {
            let none = BTreeSet::new();
            let short = short_names(SMALL_FIRST, &none).map(|name| format!("#{name}"));
            let short = names.into_iter().zip(short).collect();
            renamed.privates.insert(unit, short);
        }
        renamed
    }

    /// Names that stand for the same in all of the module, and that it declares.
    fn own_names(&self, is_entry: bool) -> BTreeSet<&'a str> {
        let imported = self.imports.iter().flat_map(|import| &import.names);
        let mut own: BTreeSet<&str> = imported.map(|(_, local)| *local).collect();
        own.extend(&self.names.declared);
        if is_entry {
            // Declared by `export const a`.
            for (exported, local) in &self.exports {
                if exported == local {
                    own.remove(local);
                }
            }
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
                (Kind::Name, text) if is_module_number(text) => {
                    return Err(format!(
                        "{text} is the name of a module in bundles: take another"
                    ));
                }
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

/// `$12`, which is a module in a bundle.
fn is_module_number(name: &str) -> bool {
    name.strip_prefix('$')
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
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
        module.write(is_entry, &live, &Named).text
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
            // The more frequent, the shorter; what is not declared here stays, and its name is taken.
            (
                "let long = a; f(long, long); let other;",
                "let b=a;f(b,b);let c;",
            ),
            (
                "function f(one, { two, three: four }) { return { one, two: four, two }; } f();",
                "function a(c,{two:d,three:b}){return{one:c,two:b,two:d}}a();",
            ),
            (
                "const { a = b } = c; d(a.e, { a });",
                "const{a=b}=c;d(a.e,{a});",
            ),
            // A browser's name, and one that only some functions declare.
            (
                "function f(name) { return name; } f(window.name, name);",
                "function a(name){return name}a(window.name,name);",
            ),
            (
                "class A { #long = 1; long() { return this.#long + this.long; } } new A();",
                "class a{#a=1;long(){return this.#a+this.long}}new a();",
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
            (
                "const a = b(); export const f = 1;",
                "const c=b();const d=1;",
            ),
            (
                "const a = b.c; export const f = 1;",
                "const c=b.c;const d=1;",
            ),
            (
                "const a = (() => b)(); export const f = 1;",
                "const c=(()=>b)();const d=1;",
            ),
            (
                "const a = 1, c = b(); export const f = 1;",
                "const d=1,e=b();const c=1;",
            ),
            (
                "const a = `${b}`; export const f = 1;",
                "const c=`${b}`;const d=1;",
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
            ("let $1 = 2;", "web/a/b.js:1: $1 is the name of a module"),
        ] {
            let fault = fault(source);
            assert!(fault.starts_with(expected), "{source}: {fault}");
        }
    }
}
