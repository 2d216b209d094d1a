//! One ES module: what it imports, what it exports, and its text with other modules' names put in.
//!
//! Only what our pages use is understood; all else ends the build with a message.

use super::fault::{Fault, line_at};
use super::tokens::{Kind, Token, Writer, tokens};

/// `import { a, b as c } from './d.js'`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// Of the other module, within `web/`.
    pub path: String,
    /// `{ a, b as c }` as what an object is taken apart by: `{a,b:c}`; a name for `* as name`; empty for
    /// a module that is wanted for its effects alone.
    pub pattern: String,
}

#[derive(Debug)]
pub struct Module<'a> {
    pub path: &'a str,
    pub imports: Vec<Import>,
    /// `{ local as exported }` as an object: `{exported:local}`.
    pub exports: Vec<String>,
    /// Paths of modules that it imports when they are wanted: `import('./a.js')`.
    pub on_demand: Vec<String>,
    /// Paths of scripts and other files that it names by `new URL('./a.js', import.meta.url)`.
    pub urls: Vec<String>,
    pieces: Vec<Piece<'a>>,
}

#[derive(Debug)]
enum Piece<'a> {
    Token(Token<'a>),
    /// `export` in front of a declaration: an entry keeps it.
    Export(Token<'a>),
    /// `export { a as b }`, with its semicolon.
    ExportList(String),
    /// `import('./a.js')`: its first token, and the path.
    OnDemand(Token<'a>, String),
    /// The string of `new URL('./a.js', import.meta.url)`: the path.
    Url(Token<'a>, String),
}

/// What a module's text needs of others.
pub trait Places {
    /// In place of `import('./a.js')`.
    fn on_demand(&self, path: &str) -> String;
    /// In place of the string in `new URL('./a.js', import.meta.url)`.
    fn url(&self, path: &str) -> String;
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
            pieces: Vec::new(),
        };
        let mut parser = Parser {
            tokens: &tokens,
            at: 0,
            module,
        };
        match parser.run() {
            Ok(()) => Ok(parser.module),
            Err(message) => {
                let offset = tokens.get(parser.at).map_or(source.len(), |it| it.offset);
                Err(Fault::new(path, line_at(source, offset), message))
            }
        }
    }

    /// Its statements but for its imports. `is_entry`: with its exports.
    pub fn write(&self, is_entry: bool, places: &dyn Places) -> String {
        let mut writer = Writer::default();
        for piece in &self.pieces {
            match piece {
                Piece::Token(token) => writer.put(token),
                Piece::Export(token) if is_entry => writer.put(token),
                Piece::ExportList(text) if is_entry => writer.put_lines(text),
                Piece::Export(token) => writer.skip(token),
                Piece::ExportList(_) => {}
                Piece::OnDemand(token, path) => {
                    writer.put_in_place(token, &places.on_demand(path));
                }
                Piece::Url(token, path) => {
                    writer.put_in_place(token, &format!("'{}'", places.url(path)));
                }
            }
        }
        writer.finish()
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
                continue;
            }
            if token.is_name("new") && self.url()? {
                // Its parenthesis is open.
                depth += 1;
                continue;
            }
            match (token.kind, token.text) {
                (Kind::Sign, "{" | "(" | "[") => depth += 1,
                (Kind::Sign, "}" | ")" | "]") => depth -= 1,
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

    fn peek(&self, ahead: usize) -> Option<Token<'a>> {
        self.tokens.get(self.at + ahead).copied()
    }

    fn keep(&mut self) {
        self.module.pieces.push(Piece::Token(self.tokens[self.at]));
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

    fn take_name(&mut self) -> Result<&'a str, String> {
        match self.peek(0) {
            Some(token) if token.kind == Kind::Name => {
                self.at += 1;
                Ok(token.text)
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

    /// `{ a, b as c }`: the two names of each.
    fn take_list(&mut self) -> Result<Vec<(&'a str, &'a str)>, String> {
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
        let pattern = if self.peek(0).is_some_and(|it| it.kind == Kind::Text) {
            String::new()
        } else if self.has("*") {
            self.take("as")?;
            self.take_name()?.to_owned()
        } else if self.peek(0).is_some_and(|it| it.is_sign("{")) {
            let names = self.take_list()?;
            format!("{{{}}}", pairs(names).join(","))
        } else {
            return Err("no default imports: name what is imported".into());
        };
        if !pattern.is_empty() {
            self.take("from")?;
        }
        let path = self.take_path()?;
        self.take(";")?;
        self.module.imports.push(Import { path, pattern });
        Ok(())
    }

    fn export(&mut self) -> Result<(), String> {
        let export = self.tokens[self.at];
        self.at += 1;
        let first = self.peek(0).map_or("", |it| it.text);
        match first {
            "{" => {
                let names = self.take_list()?;
                let list = names
                    .iter()
                    .map(|(local, exported)| format!("{local} as {exported}"));
                let list = list.collect::<Vec<_>>().join(",");
                let flipped = names.iter().map(|(local, exported)| (*exported, *local));
                self.module.exports.extend(pairs(flipped));
                if self.has("from") {
                    return Err("import it, then export it".into());
                }
                self.take(";")?;
                let text = format!("export {{{list}}};");
                self.module.pieces.push(Piece::ExportList(text));
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
                self.module.exports.push(token.text.to_owned());
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
        let token = self.tokens[self.at];
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
        let token = self.tokens[self.at];
        let path = self.take_path()?;
        self.module.urls.push(path.clone());
        self.module.pieces.push(Piece::Url(token, path));
        Ok(true)
    }
}

fn pairs<'n>(names: impl IntoIterator<Item = (&'n str, &'n str)>) -> Vec<String> {
    let pair = |(name, other): (&str, &str)| {
        if name == other {
            name.to_owned()
        } else {
            format!("{name}:{other}")
        }
    };
    names.into_iter().map(pair).collect()
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

    #[test]
    fn imports_and_exports_are_taken_out() {
        let module = parse(
            "// Why.\nimport { c, d as e } from './c.js';\nimport * as f from '../f.js';\nimport './g.js';\n\
             export const H = [1, 2], I = { j: 1, k: (1, 2) };\nexport function* l() {}\n\
             export async function m() { return import.meta.url; }\nexport class N {}\nconst o = 1;\nexport { o as p, H as q };\n",
        );
        let import = |path: &str, pattern: &str| Import {
            path: path.into(),
            pattern: pattern.into(),
        };
        assert_eq!(
            module.imports,
            [
                import("a/c.js", "{c,d:e}"),
                import("f.js", "f"),
                import("a/g.js", "")
            ]
        );
        assert_eq!(module.exports, ["H", "I", "l", "m", "N", "p:o", "q:H"]);
        let rest = "function m(){return import.meta.url}\n";
        assert_eq!(
            module.write(false, &Named),
            format!(
                "const H=[1,2],I={{j:1,k:(1,2)}};function*l(){{}}\nasync {rest}class N{{}}\nconst o=1;\n"
            )
        );
        assert_eq!(
            module.write(true, &Named),
            format!(
                "export const H=[1,2],I={{j:1,k:(1,2)}};export function*l(){{}}\nexport async {rest}\
                 export class N{{}}\nconst o=1;\nexport {{o as p,H as q}};\n"
            )
        );
    }

    #[test]
    fn what_is_loaded_later_is_named_anew() {
        let module = parse(
            "const a = await import('../c/d.js').catch(() => b);\n\
             new Worker(new URL('./e.js', import.meta.url), { type: 'module' });\nnew URL('./f.js', g);\n",
        );
        assert_eq!(module.on_demand, ["c/d.js"]);
        assert_eq!(module.urls, ["a/e.js"]);
        assert_eq!(
            module.write(false, &Named),
            "const a=await load(c/d.js).catch(()=>b);\
             new Worker(new URL('./a/e.js',import.meta.url),{type:'module'});new URL('./f.js',g);\n"
        );
    }

    #[test]
    fn words_within_a_module_are_no_imports() {
        let source =
            "a.import('./b.js');const c={import:1,export:2};f(`import { a } from './c.js';`);\n";
        let module = parse(source);
        assert!(
            module.imports.is_empty() && module.on_demand.is_empty() && module.exports.is_empty()
        );
        assert_eq!(module.write(false, &Named), source);
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
            (
                "import a from './c.js';",
                "web/a/b.js:1: no default imports",
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
