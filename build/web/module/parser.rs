//! Takes a module apart: its imports, its exports, and its statements.

use super::super::tokens::{Kind, Token};
use super::{Import, Module, Piece, Unit};

pub(super) struct Parser<'t, 'a> {
    pub(super) tokens: &'t [Token<'a>],
    pub(super) at: usize,
    pub(super) module: Module<'a>,
}

impl<'a> Parser<'_, 'a> {
    pub(super) fn run(&mut self) -> Result<(), String> {
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
