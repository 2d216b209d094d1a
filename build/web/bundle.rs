//! One script with all modules that an entry imports, in the order in which they run.
//!
//! ```text
//! //#lib/format.js
//! const $0=(()=>{
//! function clock(s){…}
//! return{clock}})();
//! //#watch/watch.js                       the entry: as it is, its exports too
//! const{clock}=$0;
//! import('./codecs-player-0d1e2f.js').then((it)=>it.default($0))
//! ```
//!
//! Each module keeps a scope of its own, so that no name has to change. What an entry imports on
//! demand becomes a script of its own, with the modules that the entry lacks; those that it has are
//! handed over, so that no module runs twice in one page. A module that two such scripts want goes
//! into the entry's.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::fault::Fault;
use super::module::{Module, Places};

/// A script that is there under its own name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// `watch-0d1e2f3a4b.js`.
    pub name: String,
    pub text: String,
    /// What it is made of.
    pub modules: Vec<String>,
}

/// Names a file by its content, so that a browser may keep it for good.
pub trait Naming {
    fn name(&self, path: &str, content: &[u8]) -> String;
    /// The name of what is no script.
    fn file(&self, path: &str) -> Option<String>;
}

/// Makes scripts of entries.
pub struct Bundler<'a> {
    modules: BTreeMap<&'a str, Module<'a>>,
    naming: &'a dyn Naming,
    /// By entry.
    made: BTreeMap<String, Script>,
}

type Reach<'a> = (BTreeSet<&'a str>, BTreeMap<String, Vec<&'a str>>);

/// Where the modules of one script are.
struct Plan<'p> {
    /// What leads from this script to the others.
    others: String,
    /// Modules that another script hands over, first; then its own.
    numbers: BTreeMap<&'p str, usize>,
    on_demand: BTreeMap<String, String>,
    urls: BTreeMap<String, String>,
}

impl Places for Plan<'_> {
    fn on_demand(&self, path: &str) -> String {
        self.on_demand.get(path).cloned().unwrap_or_default()
    }

    fn url(&self, path: &str) -> String {
        self.urls.get(path).cloned().unwrap_or_default()
    }
}

impl<'a> Bundler<'a> {
    pub fn new(
        sources: impl IntoIterator<Item = (&'a str, &'a str)>,
        naming: &'a dyn Naming,
    ) -> Result<Self, Fault> {
        let parse = |(path, source)| Ok((path, Module::parse(path, source)?));
        Ok(Self {
            modules: sources.into_iter().map(parse).collect::<Result<_, _>>()?,
            naming,
            made: BTreeMap::new(),
        })
    }

    /// All scripts that were made, each once.
    pub fn finish(self) -> Vec<Script> {
        let by_name = self.made.into_values().map(|it| (it.name.clone(), it));
        by_name.collect::<BTreeMap<_, _>>().into_values().collect()
    }

    /// The name of the script that begins with the module `entry`, and is beside all others.
    pub fn entry(&mut self, entry: &str) -> Result<String, Fault> {
        if let Some(script) = self.made.get(entry) {
            return Ok(script.name.clone());
        }
        let (text, order) = self.script(entry, "./")?;
        self.keep(entry, text, &order)
    }

    /// The same for a script with an address of its own: `others` leads from there to all others.
    pub fn entry_elsewhere(&mut self, entry: &str, others: &str) -> Result<String, Fault> {
        Ok(self.script(entry, others)?.0)
    }

    fn script(&mut self, entry: &str, others: &str) -> Result<(String, Vec<&'a str>), Fault> {
        let order = self.order_with_shared(entry)?;
        let mut plan = self.plan(&[], &order, others);
        self.resolve_urls(&order, &mut plan)?;
        self.resolve_on_demand(&order, &mut plan)?;
        let mut text = String::new();
        for path in &order {
            let module = self.module(path)?;
            // What is beside the names in a scope of its own cannot clash with the entry's names.
            if *path == entry {
                write_banner(&mut text, path);
                write_imports(&mut text, module, &plan);
                text.push_str(&module.write(true, &plan));
            } else {
                self.write_module(&mut text, path, &plan)?;
            }
        }
        Ok((text, order))
    }

    fn keep(&mut self, key: &str, text: String, order: &[&'a str]) -> Result<String, Fault> {
        let path = order.last().copied().unwrap_or_default();
        let script = Script {
            name: self.naming.name(path, text.as_bytes()),
            text,
            modules: order.iter().map(|path| path.to_string()).collect(),
        };
        let name = script.name.clone();
        self.made.insert(key.to_owned(), script);
        Ok(name)
    }

    /// The script for `import(path)` in a script that has the modules `given`, and the expression that
    /// loads it there.
    fn chunk(&mut self, path: &str, outer: &Plan<'_>) -> Result<String, Fault> {
        let (reached, _) = self.reach(self.order(path)?)?;
        let is_given = |it: &&str| outer.numbers.contains_key(it);
        // Also what it only passes on.
        let given: Vec<&str> = reached.into_iter().filter(is_given).collect();
        let own = self.order(path)?;
        let own: Vec<&str> = own.into_iter().filter(|it| !is_given(it)).collect();
        if own.is_empty() {
            return Ok(format!("Promise.resolve(${})", outer.numbers[path]));
        }
        let mut plan = self.plan(&given, &own, "./");
        self.resolve_urls(&own, &mut plan)?;
        self.resolve_on_demand(&own, &mut plan)?;
        let parameters = (0..given.len()).map(|number| format!("${number}"));
        let parameters = parameters.collect::<Vec<_>>().join(",");
        let mut text = format!("let made;\nexport default({parameters})=>made??=(()=>{{\n");
        for module in &own {
            self.write_module(&mut text, module, &plan)?;
        }
        writeln!(text, "return ${};\n}})();", plan.numbers[path]).expect("text takes all");
        let key = format!("{path} with {parameters} of {}", given.join(" "));
        let name = self.keep(&key, text, &own)?;
        let arguments = given.iter().map(|it| format!("${}", outer.numbers[it]));
        let arguments = arguments.collect::<Vec<_>>().join(",");
        let others = &outer.others;
        Ok(format!(
            "import('{others}{name}').then((it)=>it.default({arguments}))"
        ))
    }

    fn write_module(&self, text: &mut String, path: &str, plan: &Plan<'_>) -> Result<(), Fault> {
        let module = self.module(path)?;
        write_banner(text, path);
        writeln!(text, "const ${}=(()=>{{", plan.numbers[path]).expect("text takes all");
        write_imports(text, module, plan);
        text.push_str(&module.write(false, plan));
        writeln!(text, "return{{{}}}}})();", module.exports.join(",")).expect("text takes all");
        Ok(())
    }

    fn plan(&self, given: &[&'a str], own: &[&'a str], others: &str) -> Plan<'a> {
        let all = given.iter().chain(own).enumerate();
        Plan {
            others: others.to_owned(),
            numbers: all.map(|(number, path)| (*path, number)).collect(),
            on_demand: BTreeMap::new(),
            urls: BTreeMap::new(),
        }
    }

    fn resolve_urls(&mut self, order: &[&str], plan: &mut Plan<'_>) -> Result<(), Fault> {
        for path in order {
            for url in self.module(path)?.urls.clone() {
                let name = match self.naming.file(&url) {
                    Some(name) => name,
                    // A worker, or a worklet.
                    None => self.entry(&url).map_err(|fault| self.at(path, fault))?,
                };
                plan.urls.insert(url, format!("{}{name}", plan.others));
            }
        }
        Ok(())
    }

    fn resolve_on_demand(&mut self, order: &[&str], plan: &mut Plan<'_>) -> Result<(), Fault> {
        for path in order {
            for wanted in self.module(path)?.on_demand.clone() {
                let expression = self.chunk(&wanted, plan)?;
                plan.on_demand.insert(wanted, expression);
            }
        }
        Ok(())
    }

    /// A file that is missing is a fault of the file that names it.
    fn at(&self, path: &str, fault: Fault) -> Fault {
        if fault.line == 0 {
            Fault::new(path, 1, fault.message)
        } else {
            fault
        }
    }

    fn module(&self, path: &str) -> Result<&Module<'a>, Fault> {
        self.modules
            .get(path)
            .ok_or_else(|| Fault::new(path, 0, format!("there is no web/{path}")))
    }

    /// `entry` and what it imports, each behind all that it imports itself.
    fn order(&self, entry: &str) -> Result<Vec<&'a str>, Fault> {
        let mut order = Vec::new();
        self.visit(entry, &mut Vec::new(), &mut order)?;
        Ok(order)
    }

    fn visit(
        &self,
        path: &str,
        importing: &mut Vec<&'a str>,
        order: &mut Vec<&'a str>,
    ) -> Result<(), Fault> {
        let module = self.module(path)?;
        if order.contains(&module.path) {
            return Ok(());
        }
        if importing.contains(&module.path) {
            let circle = [&importing[..], &[module.path]].concat().join(" imports ");
            return Err(Fault::new(
                path,
                1,
                format!("modules in a circle: {circle}"),
            ));
        }
        importing.push(module.path);
        for import in &module.imports {
            self.visit(&import.path, importing, order)
                .map_err(|fault| self.at(path, fault))?;
        }
        importing.pop();
        order.push(module.path);
        Ok(())
    }

    /// All modules that may come to run where these do; and by each that is imported on demand, those
    /// that this one imports.
    fn reach(&self, mut to_look_at: Vec<&'a str>) -> Result<Reach<'a>, Fault> {
        let mut wanted = BTreeMap::new();
        let mut reached = BTreeSet::new();
        while let Some(path) = to_look_at.pop() {
            if !reached.insert(path) {
                continue;
            }
            for on_demand in &self.module(path)?.on_demand {
                let modules = self
                    .order(on_demand)
                    .map_err(|fault| self.at(path, fault))?;
                to_look_at.extend(&modules);
                wanted.insert(on_demand.clone(), modules);
            }
        }
        Ok((reached, wanted))
    }

    /// The same as `order`, with the modules that more than one of the scripts on demand would have.
    fn order_with_shared(&self, entry: &str) -> Result<Vec<&'a str>, Fault> {
        let mut order = self.order(entry)?;
        let (_, wanted) = self.reach(order.clone())?;
        let mut times: BTreeMap<&str, usize> = BTreeMap::new();
        for path in wanted.values().flatten() {
            *times.entry(path).or_default() += 1;
        }
        order.pop();
        for path in wanted.values().flatten() {
            if times[path] > 1 {
                self.visit(path, &mut Vec::new(), &mut order)?;
            }
        }
        order.push(self.module(entry)?.path);
        Ok(order)
    }
}

/// Tells a person with a debugger, and the tests, what begins here.
fn write_banner(text: &mut String, path: &str) {
    writeln!(text, "//#{path}").expect("text takes all");
}

fn write_imports(text: &mut String, module: &Module<'_>, plan: &Plan<'_>) {
    for import in &module.imports {
        if !import.pattern.is_empty() {
            let number = plan.numbers[import.path.as_str()];
            // `const{…}` needs no space, `const name` does.
            let space = if import.pattern.starts_with('{') {
                ""
            } else {
                " "
            };
            writeln!(text, "const{space}{}=${number};", import.pattern).expect("text takes all");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Plain;

    impl Naming for Plain {
        fn name(&self, path: &str, _: &[u8]) -> String {
            format!("made/{path}")
        }

        fn file(&self, path: &str) -> Option<String> {
            path.ends_with(".svg").then(|| format!("made/{path}"))
        }
    }

    fn bundle(sources: &[(&str, &str)], entry: &str) -> Result<BTreeMap<String, Script>, Fault> {
        let mut bundler = Bundler::new(sources.iter().copied(), &Plain)?;
        bundler.entry(entry)?;
        let scripts = bundler.finish();
        Ok(scripts
            .into_iter()
            .map(|it| (it.name.clone(), it))
            .collect())
    }

    #[test]
    fn modules_run_once_in_the_order_of_their_imports() {
        let made = bundle(
            &[
                ("a.js", "import { c } from './c.js';\nimport { b as d } from './b.js';\nimport './e.js';\nexport const a = c + d;"),
                ("b.js", "import * as c from './c.js';\nexport const b = c.c;"),
                ("c.js", "let state = 0;\nexport function c() { return state++; }"),
                ("e.js", "e();"),
                ("f.js", "unused();"),
            ],
            "a.js",
        )
        .unwrap();
        assert_eq!(made.len(), 1);
        let script = &made["made/a.js"];
        assert_eq!(script.modules, ["c.js", "b.js", "e.js", "a.js"]);
        assert_eq!(
            script.text,
            "//#c.js\nconst $0=(()=>{\nlet state=0;function c(){return state++}\nreturn{c}})();\n\
             //#b.js\nconst $1=(()=>{\nconst c=$0;\nconst b=c.c;\nreturn{b}})();\n\
             //#e.js\nconst $2=(()=>{\ne();\nreturn{}})();\n\
             //#a.js\nconst{c}=$0;\nconst{b:d}=$1;\nexport const a=c+d;\n"
        );
    }

    #[test]
    fn script_on_demand_gets_what_its_page_has() {
        let made = bundle(
            &[
                ("a.js", "import { s } from './s.js';\nconst b = await import('./b.js');"),
                ("b.js", "import { t } from './t.js';\nimport { s } from './s.js';\nexport const b = [s, t];"),
                ("s.js", "export const s = {};"),
                ("t.js", "export const t = {};"),
            ],
            "a.js",
        )
        .unwrap();
        assert_eq!(made["made/a.js"].modules, ["s.js", "a.js"]);
        assert!(
            made["made/a.js"]
                .text
                .ends_with("const b=await import('./made/b.js').then((it)=>it.default($0));\n")
        );
        assert_eq!(made["made/b.js"].modules, ["t.js", "b.js"]);
        assert_eq!(
            made["made/b.js"].text,
            "let made;\nexport default($0)=>made??=(()=>{\n//#t.js\nconst $1=(()=>{\nconst t={};\nreturn{t}})();\n\
             //#b.js\nconst $2=(()=>{\nconst{t}=$1;\nconst{s}=$0;\nconst b=[s,t];\nreturn{b}})();\nreturn $2;\n})();\n"
        );
    }

    #[test]
    fn module_that_two_scripts_on_demand_want_is_the_pages() {
        let made = bundle(
            &[
                ("a.js", "import('./b.js');\nimport('./c.js');"),
                ("b.js", "import { s } from './s.js';\nexport const b = s;"),
                ("c.js", "import('./d.js');\nexport const c = 1;"),
                (
                    "d.js",
                    "import('./s.js');\nimport { s } from './s.js';\nexport const d = s;",
                ),
                ("s.js", "export const s = {};"),
            ],
            "a.js",
        )
        .unwrap();
        assert_eq!(made["made/a.js"].modules, ["s.js", "a.js"]);
        assert_eq!(made["made/b.js"].modules, ["b.js"]);
        assert_eq!(made["made/c.js"].modules, ["c.js"]);
        // Which has it from the page, through the script between them.
        assert!(
            made["made/d.js"].text.contains("Promise.resolve($0)"),
            "{made:?}"
        );
    }

    #[test]
    fn workers_and_files_are_named_anew() {
        let made = bundle(
            &[
                ("a/a.js", "new Worker(new URL('./w.js', import.meta.url));\nnew URL('../i.svg', import.meta.url);"),
                ("a/w.js", "import { s } from '../s.js';\ns();"),
                ("s.js", "export const s = () => {};"),
            ],
            "a/a.js",
        )
        .unwrap();
        assert_eq!(
            made["made/a/a.js"].text,
            "//#a/a.js\nnew Worker(new URL('./made/a/w.js',import.meta.url));new URL('./made/i.svg',import.meta.url);\n"
        );
        assert_eq!(made["made/a/w.js"].modules, ["s.js", "a/w.js"]);
    }

    #[test]
    fn script_elsewhere_finds_the_others() {
        let sources = [
            (
                "a.js",
                "import('./b.js');\nnew URL('./i.svg', import.meta.url);\nexport class A {}",
            ),
            ("b.js", "new URL('./i.svg', import.meta.url);"),
        ];
        let mut bundler = Bundler::new(sources, &Plain).unwrap();
        let text = bundler.entry_elsewhere("a.js", "./assets/").unwrap();
        assert_eq!(
            text,
            "//#a.js\nimport('./assets/made/b.js').then((it)=>it.default());\
             new URL('./assets/made/i.svg',import.meta.url);export class A{}\n"
        );
        let scripts = bundler.finish();
        assert_eq!(scripts.len(), 1);
        assert!(scripts[0].text.contains("new URL('./made/i.svg',"));
    }

    #[test]
    fn circles_and_missing_modules_end_the_build() {
        let circle = [
            ("a.js", "import { b } from './b.js';"),
            ("b.js", "import { a } from './a.js';"),
        ];
        assert_eq!(
            bundle(&circle, "a.js").unwrap_err().message,
            "modules in a circle: a.js imports b.js imports a.js"
        );
        for source in [
            "import { b } from './b.js';",
            "import('./b.js');",
            "new URL('./b.js', import.meta.url);",
        ] {
            let fault = bundle(&[("a.js", source)], "a.js").unwrap_err();
            assert_eq!(fault.to_string(), "web/a.js:1: there is no web/b.js");
        }
    }
}
