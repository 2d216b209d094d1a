//! One script with all modules that an entry imports, in the order in which they run.
//!
//! ```text
//! function A(a){…}                        of the first module
//! const B=A();                            of the entry; its exports are exported
//! $$('./codecs-player-0d1e2f.js',()=>[A])
//! ```
//!
//! All modules share one scope, in which no two names are alike, and what nothing in the script needs is left
//! out. What an entry imports on demand becomes a script of its own, with the modules that the entry lacks; of
//! those that it has, what is wanted is handed over.
//!
//! A module that has state (a variable, a table that fills) runs once in one page: where two scripts on demand
//! want it, it goes into the entry's. One that only declares functions, classes and constants may be in
//! several scripts, in each with what that one needs of it: so an entry has nothing for scripts that
//! may never be asked for.

use std::collections::{BTreeMap, BTreeSet};

use super::fault::Fault;
use super::module::{Live, Module, Places, ShortNames};
use super::short_names::short_names_by_use;

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
    /// Names of scripts, by the modules that they begin with.
    entries: BTreeMap<String, String>,
    made: BTreeMap<String, Script>,
}

/// Of modules, which exports.
type Exports<'a> = BTreeMap<String, BTreeSet<&'a str>>;

/// What is needed of each module in a script.
#[derive(Default)]
struct Needs<'a> {
    /// Of those that the script has itself.
    lives: BTreeMap<&'a str, Live<'a>>,
    /// Also of those that it is handed.
    exports: Exports<'a>,
}

/// What loads a script on demand and hands modules over. Browsers remember for as long as a page is there that
/// an address did not load, so that another attempt needs another address.
const LOAD: &str =
    "const $$=(a,b)=>import(a).catch(()=>import(a+'?'+Date.now())).then((c)=>c.default(...b()));\n";

type Reach<'a> = (BTreeSet<&'a str>, BTreeMap<String, Vec<&'a str>>);

/// A variable at the top of a module: the module's path, and what it is called there.
type Variable<'a> = (&'a str, &'a str);

/// What one script is made of.
struct Plan<'p> {
    needs: Needs<'p>,
    /// What leads from this script to the others.
    others: String,
    /// What variables are called in it: those of its modules, and those that another script hands over.
    names: BTreeMap<Variable<'p>, String>,
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
        let modules = sources.into_iter().map(parse);
        let modules = modules.collect::<Result<BTreeMap<_, _>, Fault>>()?;
        Ok(Self {
            modules,
            naming,
            entries: BTreeMap::new(),
            made: BTreeMap::new(),
        })
    }

    /// All scripts that were made, each once.
    pub fn finish(self) -> Vec<Script> {
        self.made.into_values().collect()
    }

    /// The name of the script that begins with the module `entry`, and is beside all others.
    pub fn entry(&mut self, entry: &str) -> Result<String, Fault> {
        if let Some(name) = self.entries.get(entry) {
            return Ok(name.clone());
        }
        let (text, order) = self.script(entry, "./")?;
        let name = self.keep_by_name(text, &order);
        self.entries.insert(entry.to_owned(), name.clone());
        Ok(name)
    }

    /// The same for a script with an address of its own: `others` leads from there to all others.
    pub fn entry_elsewhere(
        &mut self,
        (name, entry): (&str, &str),
        others: &str,
    ) -> Result<Script, Fault> {
        let (text, order) = self.script(entry, others)?;
        Ok(Script {
            name: name.to_owned(),
            text,
            modules: order.iter().map(|path| path.to_string()).collect(),
        })
    }

    /// The text of a script that imports nothing, for a page to have it in itself.
    pub fn inline(&mut self, entry: &str) -> Result<String, Fault> {
        let (text, order) = self.script(entry, "./")?;
        if order.len() > 1 || text.contains("</") {
            let message = "a script in a page has no imports, and no </";
            return Err(Fault::new(entry, 1, message));
        }
        Ok(text.trim_end().to_owned())
    }

    fn script(&mut self, entry: &str, others: &str) -> Result<(String, Vec<&'a str>), Fault> {
        let order = self.order_with_shared(entry)?;
        let wanted = self.begin_needs(entry)?;
        let needs = self.needs(&order, wanted, |_, _| false)?;
        let is_own = |it: &&str| needs.lives.contains_key(it);
        let order: Vec<&str> = order.into_iter().filter(is_own).collect();
        let names = self.names(&order, Some(entry), &BTreeSet::new(), &needs)?;
        let mut plan = plan(needs, names, others);
        self.resolve_urls(&order, &mut plan)?;
        self.resolve_on_demand(&order, &mut plan)?;
        let mut text = String::new();
        for path in &order {
            text.push_str(&self.write(path, *path == entry, &plan)?);
        }
        Ok((with_load(text), order))
    }

    fn keep_by_name(&mut self, text: String, order: &[&'a str]) -> String {
        let path = order.last().copied().unwrap_or_default();
        let script = Script {
            name: self.naming.name(path, text.as_bytes()),
            text,
            modules: order.iter().map(|path| path.to_string()).collect(),
        };
        let name = script.name.clone();
        self.made.insert(name.clone(), script);
        name
    }

    /// The script for `import(path)` in a script that has the modules `given`, and the expression that
    /// loads it there.
    fn chunk(&mut self, path: &str, outer: &Plan<'a>) -> Result<String, Fault> {
        let order = self.order(path)?;
        let wanted = self.begin_needs(path)?;
        let mut needs = self.needs(&order, wanted, |module, needed| {
            let has = outer.needs.exports.get(module.path);
            has.is_some_and(|has| module.keeps() || needed.is_subset(has))
        })?;
        let order = order.into_iter();
        let own: Vec<&str> = order.filter(|it| needs.lives.contains_key(it)).collect();
        if own.is_empty() {
            let module = self.namespace(path, outer)?;
            return Ok(format!("Promise.resolve({module})"));
        }
        let given = self.wanted_of(outer, path, &own)?;
        // Also modules that it only hands on.
        let (reached, _) = self.reach(self.order(path)?)?;
        for path in reached.into_iter().filter(|it| !own.contains(it)) {
            if let Some(exports) = outer.needs.exports.get(path) {
                needs.exports.insert(path.to_owned(), exports.clone());
            }
        }
        let names = self.names(&own, None, &given, &needs)?;
        let mut plan = plan(needs, names, "./");
        self.resolve_urls(&own, &mut plan)?;
        self.resolve_on_demand(&own, &mut plan)?;
        let list = |names: &BTreeMap<Variable<'_>, String>| {
            let names = given.iter().map(|variable| names[variable].as_str());
            names.collect::<Vec<_>>().join(",")
        };
        let mut text = format!(
            "let made;\nexport default({})=>made??=(()=>{{\n",
            list(&plan.names)
        );
        for module in &own {
            if self.module(module)?.awaits {
                let message = format!("awaits, and is loaded on demand with web/{path}");
                return Err(Fault::new(module, 1, message));
            }
            text.push_str(&self.write(module, false, &plan)?);
        }
        text += &format!("return{}}})();\n", self.namespace(path, &plan)?);
        let name = self.keep_by_name(with_load(text), &own);
        let others = &outer.others;
        let arguments = list(&outer.names);
        // A function, because modules may not be there yet when the script is asked for.
        Ok(format!("$$('{others}{name}',()=>[{arguments}])"))
    }

    /// What the modules that come to run with `path` want of those that `outer` has, but for `own`.
    fn wanted_of(
        &self,
        outer: &Plan<'a>,
        path: &str,
        own: &[&'a str],
    ) -> Result<BTreeSet<Variable<'a>>, Fault> {
        let mut wanted = BTreeSet::new();
        for module in self.reach(self.order(path)?)?.0 {
            let module = self.module(module)?;
            for import in &module.imports {
                for (imported, _) in &import.names {
                    wanted.insert(self.exported(&import.path, imported)?);
                }
            }
            for on_demand in &module.on_demand {
                for (exported, _) in &self.module(on_demand)?.exports {
                    wanted.insert(self.exported(on_demand, exported)?);
                }
            }
        }
        wanted.retain(|it| outer.names.contains_key(it) && !own.contains(&it.0));
        Ok(wanted)
    }

    /// A module's exports as an object.
    fn namespace(&self, path: &str, plan: &Plan<'a>) -> Result<String, Fault> {
        let mut pairs = Vec::new();
        for (exported, _) in &self.module(path)?.exports {
            let variable = self.exported(path, exported)?;
            pairs.push(format!("{exported}:{}", plan.names[&variable]));
        }
        Ok(format!("{{{}}}", pairs.join(",")))
    }

    fn write(&self, path: &str, is_entry: bool, plan: &Plan<'a>) -> Result<String, Fault> {
        let module = self.module(path)?;
        let mut names = ShortNames::new();
        for local in module.own_names(is_entry) {
            let variable = self.variable(module, local)?;
            names.extend(plan.names.get(&variable).map(|name| (local, name.clone())));
        }
        Ok(module.write(is_entry, &plan.needs.lives[module.path], &names, plan))
    }

    /// Short names for what the modules `own` have at their top, and for what they are `given`.
    fn names(
        &self,
        own: &[&'a str],
        entry: Option<&str>,
        given: &BTreeSet<Variable<'a>>,
        needs: &Needs<'a>,
    ) -> Result<BTreeMap<Variable<'a>, String>, Fault> {
        let mut counts: BTreeMap<Variable<'a>, usize> = given.iter().map(|it| (*it, 1)).collect();
        let mut taken = BTreeSet::new();
        for path in own {
            let module = self.module(path)?;
            let uses = module.uses(entry == Some(path), &needs.lives[path]);
            for (local, count) in uses.own {
                *counts.entry(self.variable(module, local)?).or_default() += count;
            }
            taken.extend(uses.others);
        }
        Ok(short_names_by_use(counts, &taken))
    }

    /// What a module calls `local`, where it is declared.
    fn variable(&self, module: &Module<'a>, local: &'a str) -> Result<Variable<'a>, Fault> {
        for import in &module.imports {
            let mut names = import.names.iter();
            if let Some((imported, _)) = names.find(|(_, name)| *name == local) {
                let found = self.exported(&import.path, imported);
                return found.map_err(|fault| Fault::new(module.path, 1, fault.message));
            }
        }
        Ok((module.path, local))
    }

    /// What a module exports by this name, where it is declared.
    fn exported(&self, path: &str, exported: &str) -> Result<Variable<'a>, Fault> {
        let module = self.module(path)?;
        let mut exports = module.exports.iter();
        let found = exports.find(|(name, _)| *name == exported);
        let (_, local) = found
            .ok_or_else(|| Fault::new(path, 0, format!("web/{path} exports no {exported}")))?;
        self.variable(module, local)
    }

    /// What is needed of the modules of `order` that nothing else gives, where these exports are wanted.
    fn needs(
        &self,
        order: &[&'a str],
        mut wanted: Exports<'a>,
        is_given: impl Fn(&Module<'a>, &BTreeSet<&'a str>) -> bool,
    ) -> Result<Needs<'a>, Fault> {
        let mut needs = Needs::default();
        // Those that import first.
        for path in order.iter().rev() {
            let module = self.module(path)?;
            // The script that imports it is handed it.
            let Some(needed) = wanted.remove(*path) else {
                continue;
            };
            if is_given(module, &needed) {
                continue;
            }
            let live = module.live(|exported| needed.contains(exported));
            self.add_imports(module, &live, &mut wanted)?;
            needs.exports.insert((*path).to_owned(), needed);
            needs.lives.insert(module.path, live);
        }
        Ok(needs)
    }

    /// Adds what the live part of a module imports.
    fn add_imports(
        &self,
        module: &Module<'a>,
        live: &Live<'a>,
        wanted: &mut Exports<'a>,
    ) -> Result<(), Fault> {
        for import in &module.imports {
            let exports = wanted.entry(import.path.clone()).or_default();
            let used = import.names.iter();
            for (imported, _) in used.filter(|(_, local)| live.variables.contains(local)) {
                self.exported(&import.path, imported)
                    .map_err(|fault| Fault::new(module.path, 1, fault.message))?;
                exports.insert(imported);
            }
        }
        Ok(())
    }

    /// All that `entry` exports, and what it imports both at once and on demand; and of modules that have
    /// state, what is wanted where it runs, also by what it loads on demand.
    fn begin_needs(&self, entry: &str) -> Result<Exports<'a>, Fault> {
        let (_, on_demand) = self.reach(self.order(entry)?)?;
        let own = self.order(entry)?;
        let mut order = own.clone();
        for path in on_demand.keys() {
            self.visit(path, &mut Vec::new(), &mut order)?;
        }
        let is_whole = |path: &str| path == entry || on_demand.contains_key(path);
        let mut wanted = Exports::new();
        for path in order.iter().filter(|path| is_whole(path)) {
            let exports = self.module(path)?.exports.iter();
            let exports = exports.map(|(exported, _)| *exported).collect();
            wanted.insert((*path).to_owned(), exports);
        }
        let mut wanted = self.needs(&order, wanted, |_, _| false)?.exports;
        let is_both = |path: &str| is_whole(path) && own.contains(&path);
        wanted.retain(|path, _| is_both(path) || self.modules[path.as_str()].keeps());
        Ok(wanted)
    }

    fn resolve_urls(&mut self, order: &[&str], plan: &mut Plan<'a>) -> Result<(), Fault> {
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

    fn resolve_on_demand(&mut self, order: &[&str], plan: &mut Plan<'a>) -> Result<(), Fault> {
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

    /// The same as `order`, with the modules that have state and that more than one of the scripts on demand
    /// would have.
    fn order_with_shared(&self, entry: &str) -> Result<Vec<&'a str>, Fault> {
        let mut order = self.order(entry)?;
        let (_, wanted) = self.reach(order.clone())?;
        let mut times: BTreeMap<&str, usize> = BTreeMap::new();
        for path in wanted.values().flatten() {
            *times.entry(path).or_default() += 1;
        }
        order.pop();
        for path in wanted.values().flatten() {
            if times[path] > 1 && self.module(path)?.keeps() {
                self.visit(path, &mut Vec::new(), &mut order)?;
            }
        }
        order.push(self.module(entry)?.path);
        Ok(order)
    }
}

/// A script with what its imports on demand take.
fn with_load(text: String) -> String {
    if text.contains("$$(") {
        LOAD.to_owned() + &text
    } else {
        text
    }
}

fn plan<'a>(needs: Needs<'a>, names: BTreeMap<Variable<'a>, String>, others: &str) -> Plan<'a> {
    Plan {
        needs,
        others: others.to_owned(),
        names,
        on_demand: BTreeMap::new(),
        urls: BTreeMap::new(),
    }
}

#[cfg(test)]
mod tests;
