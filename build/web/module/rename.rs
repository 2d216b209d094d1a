//! What variables of a module are called in a script: as short as there are names that hide nothing.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::super::names::{Extent, Role};
use super::super::short_names::short_names;
use super::{Live, Module, Piece, Places};

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
            let mut around = extents.get(name).into_iter().flatten();
            // The innermost begins last.
            let innermost = around.rfind(|extent| extent.has(at));
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
    pub(super) fn rename(
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
