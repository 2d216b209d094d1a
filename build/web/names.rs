//! Which names of a module are variables, which of them the module declares, and what it does not need.
//!
//! ```text
//! const{a,b:c}=d.e;     declares a and c; d is a variable of elsewhere; b and e are properties
//! ```
//!
//! What is not surely declared here counts as declared elsewhere, and keeps its name.

use std::collections::{BTreeMap, BTreeSet};

use super::tokens::{Kind, Token};

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// No name, a keyword, a property or a label.
    Other,
    Variable,
    /// `{ a }`: a property and a variable.
    Shorthand,
    Private,
}

/// The first and the last token of a function, from its parameters on, of a loop, from its head on, or of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Extent {
    pub begin: usize,
    pub end: usize,
}

impl Extent {
    pub fn has(self, at: usize) -> bool {
        (self.begin..=self.end).contains(&at)
    }
}

#[derive(Debug)]
pub struct Names<'a> {
    /// Of each token.
    pub roles: Vec<Role>,
    /// At the top of the module, for all of it.
    pub declared: BTreeSet<&'a str>,
    /// Where that is.
    pub top: BTreeSet<usize>,
    /// Where a function or a block declares one, and the part of the module that has it.
    pub inner: BTreeMap<usize, Extent>,
    /// `const`, and the semicolon behind what it declares.
    pub constants: BTreeSet<usize>,
    /// The brackets of `(a) =>`.
    pub needless: BTreeSet<usize>,
    /// The bracket that closes the one at an index.
    pub partners: BTreeMap<usize, usize>,
}

/// Never the name of a variable.
const RESERVED: [&str; 45] = [
    "arguments",
    "await",
    "break",
    "case",
    "catch",
    "class",
    "const",
    "continue",
    "debugger",
    "default",
    "delete",
    "do",
    "else",
    "enum",
    "eval",
    "export",
    "extends",
    "false",
    "finally",
    "for",
    "function",
    "globalThis",
    "if",
    "import",
    "in",
    "instanceof",
    "let",
    "new",
    "null",
    "return",
    "super",
    "switch",
    "this",
    "throw",
    "true",
    "try",
    "typeof",
    "undefined",
    "var",
    "void",
    "while",
    "with",
    "yield",
    "Infinity",
    "NaN",
];

/// Behind these an object begins, rather than a block.
const BEFORE_OBJECT: [&str; 19] = [
    "return",
    "typeof",
    "case",
    "in",
    "of",
    "void",
    "delete",
    "throw",
    "new",
    "instanceof",
    "await",
    "yield",
    "const",
    "let",
    "var",
    "default",
    "extends",
    "import",
    "export",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Within {
    /// `is_case`: between `case` and its colon.
    Block {
        is_case: bool,
    },
    Object {
        at_key: bool,
    },
    Class {
        at: Member,
    },
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Member {
    Name,
    /// A method's parameters and block, or a field's end or value.
    AfterName,
    Value,
}

/// What is open.
#[derive(Debug, Clone, Copy)]
struct Context {
    within: Within,
    /// In a pattern, whether a variable to be declared comes next.
    pattern: Option<bool>,
    /// In `const a = …, b = …;`, whether another declaration comes next.
    declarators: Option<bool>,
    /// Where `const` is that these follow.
    constant: Option<usize>,
    /// Whether what is declared here is there for all of the module.
    is_top: bool,
    /// Where its bracket is.
    begin: usize,
    /// Of parameters, the function; of a loop's head, the loop.
    scope: Option<Extent>,
}

impl Context {
    fn new(within: Within, begin: usize) -> Self {
        Self {
            within,
            pattern: None,
            declarators: None,
            constant: None,
            is_top: false,
            begin,
            scope: None,
        }
    }
}

pub fn names<'a>(tokens: &[Token<'a>]) -> Names<'a> {
    let mut reader = Reader {
        tokens,
        names: Names {
            roles: vec![Role::Other; tokens.len()],
            declared: BTreeSet::new(),
            top: BTreeSet::new(),
            inner: BTreeMap::new(),
            constants: BTreeSet::new(),
            needless: BTreeSet::new(),
            partners: partners(tokens),
        },
        open: vec![Context {
            is_top: true,
            ..Context::new(Within::Block { is_case: false }, 0)
        }],
        bodies: BTreeMap::new(),
        classes: Vec::new(),
        is_block_colon: false,
    };
    for at in 0..tokens.len() {
        reader.look(at);
    }
    reader.names
}

fn partners(tokens: &[Token<'_>]) -> BTreeMap<usize, usize> {
    let mut open = Vec::new();
    let mut partners = BTreeMap::new();
    for (at, token) in tokens.iter().enumerate() {
        let is_middle = token.kind == Kind::Template && token.text.starts_with('}');
        if is_middle || is_one_of(token, &[")", "]", "}"]) {
            partners.extend(open.pop().map(|begin| (begin, at)));
        }
        if opens(token) || is_one_of(token, &["(", "[", "{"]) {
            open.push(at);
        }
    }
    partners
}

/// Whether code follows in a template.
fn opens(token: &Token<'_>) -> bool {
    token.kind == Kind::Template && token.text.ends_with("${")
}

fn is_one_of(token: &Token<'_>, signs: &[&str]) -> bool {
    token.kind == Kind::Sign && signs.contains(&token.text)
}

struct Reader<'t, 'a> {
    tokens: &'t [Token<'a>],
    names: Names<'a>,
    open: Vec<Context>,
    /// Where the parameters begin, by where the function's block does.
    bodies: BTreeMap<usize, usize>,
    /// How much is open where a class began whose body has not.
    classes: Vec<usize>,
    /// Whether the last colon was of a `case` or a label.
    is_block_colon: bool,
}

impl<'a> Reader<'_, 'a> {
    fn token(&self, at: usize) -> Option<&Token<'a>> {
        self.tokens.get(at)
    }

    fn before(&self, at: usize) -> Option<&Token<'a>> {
        self.token(at.checked_sub(1)?)
    }

    fn is_sign_at(&self, at: usize, signs: &[&str]) -> bool {
        self.token(at).is_some_and(|it| is_one_of(it, signs))
    }

    fn is_property(&self, at: usize) -> bool {
        self.before(at)
            .is_some_and(|it| is_one_of(it, &[".", "?."]))
    }

    fn is_word_at(&self, at: usize, words: &[&str]) -> bool {
        self.token(at)
            .is_some_and(|it| it.kind == Kind::Name && words.contains(&it.text))
            && !self.is_property(at)
    }

    fn top(&mut self) -> &mut Context {
        self.open.last_mut().expect("the module itself stays open")
    }

    fn look(&mut self, at: usize) {
        let token = self.tokens[at];
        match token.kind {
            Kind::Name => self.name(at, token),
            Kind::Sign => self.sign(at, token),
            Kind::Template => {
                if token.text.starts_with('}') && self.open.len() > 1 {
                    self.open.pop();
                }
                if opens(&token) {
                    self.open.push(Context::new(Within::Other, at));
                }
                self.value();
            }
            Kind::Number | Kind::Text | Kind::Regex => self.value(),
        }
    }

    /// Something that is no name stands where a key or a member may stand.
    fn value(&mut self) {
        match &mut self.top().within {
            Within::Object { at_key } => *at_key = false,
            Within::Class { at } if *at == Member::Name => *at = Member::AfterName,
            _ => {}
        }
    }

    fn name(&mut self, at: usize, token: Token<'a>) {
        if token.text.starts_with('#') {
            self.names.roles[at] = Role::Private;
            if let Within::Class { at } = &mut self.top().within
                && *at == Member::Name
            {
                *at = Member::AfterName;
            }
            return;
        }
        if self.is_property(at) {
            return;
        }
        match self.top().within {
            Within::Object { at_key: true } => return self.key(at, token),
            Within::Class { at: Member::Name } => {
                // `static a`, `get a()`, but also `get()`.
                let is_modifier = ["static", "async", "get", "set"].contains(&token.text)
                    && !self.is_sign_at(at + 1, &["(", "=", ";", "}"]);
                if !is_modifier {
                    self.top().within = Within::Class {
                        at: Member::AfterName,
                    };
                }
                return;
            }
            _ => {}
        }
        let is_of = token.text == "of"
            && self.top().declarators.is_some()
            && self.ends_value(at.wrapping_sub(1));
        if is_of || RESERVED.contains(&token.text) {
            return self.word(at, token);
        }
        // A label, and what leads to it.
        let begins = self.is_sign_at(at.wrapping_sub(1), &[";", "{", "}"]) || at == 0;
        let is_block = matches!(self.top().within, Within::Block { is_case: false });
        if is_block && begins && self.is_sign_at(at + 1, &[":"])
            || self.is_word_at(at.wrapping_sub(1), &["break", "continue"])
                && !token.follows_line_end
        {
            return;
        }
        self.names.roles[at] = Role::Variable;
        let is_one_parameter = self.is_sign_at(at + 1, &["=>"]);
        let is_declared = self.expects()
            || self.is_word_at(at.wrapping_sub(1), &["function", "class"])
            || self.is_sign_at(at.wrapping_sub(1), &["*"])
                && self.is_word_at(at.wrapping_sub(2), &["function"])
            || is_one_parameter;
        if is_one_parameter {
            let end = self.end_of_body(at);
            self.names.inner.insert(at, Extent { begin: at, end });
        } else if is_declared {
            self.declare(at, token);
        }
    }

    fn declare(&mut self, at: usize, token: Token<'a>) {
        if self.top().is_top {
            self.names.declared.insert(token.text);
            self.names.top.insert(at);
        } else {
            let extent = self.extent();
            self.names.inner.insert(at, extent);
        }
    }

    /// Of what is declared here: the function whose parameters these are, or the block.
    fn extent(&self) -> Extent {
        let is_scope =
            |it: &&Context| it.scope.is_some() || matches!(it.within, Within::Block { .. });
        let scope = self.open.iter().rev().find(is_scope);
        if let Some(scope) = scope.and_then(|it| it.scope) {
            return scope;
        }
        let begin = scope.map_or(0, |it| it.begin);
        let partner = self.names.partners.get(&begin);
        Extent {
            begin: self.bodies.get(&begin).copied().unwrap_or(begin),
            end: partner.copied().unwrap_or(self.tokens.len()),
        }
    }

    /// The last token of the function whose parameters end at this one, or of the loop whose head does.
    fn end_of_body(&self, parameters: usize) -> usize {
        let is_arrow = self.is_sign_at(parameters + 1, &["=>"]);
        let body = parameters + 1 + usize::from(is_arrow);
        if self.is_sign_at(body, &["{"]) {
            return self.names.partners.get(&body).copied().unwrap_or(body);
        }
        let (mut at, mut conditions) = (body, 0_usize);
        while let Some(token) = self.token(at) {
            let closes = token.kind == Kind::Template && token.text.starts_with('}');
            if closes || is_one_of(token, &[",", ";", ")", "]", "}"]) {
                break;
            }
            conditions += usize::from(token.is_sign("?"));
            if token.is_sign(":") {
                let Some(left) = conditions.checked_sub(1) else {
                    break;
                };
                conditions = left;
            }
            at = self.behind(at);
        }
        at - 1
    }

    /// The next token that is not within this one's brackets, or template.
    fn behind(&self, at: usize) -> usize {
        let mut last = at;
        while let Some(partner) = self.names.partners.get(&last) {
            last = *partner;
            if !self.token(last).is_some_and(opens) {
                break;
            }
        }
        last + 1
    }

    /// Whether a variable or a pattern ends with this token, so that `of` behind it is no variable.
    fn ends_value(&self, at: usize) -> bool {
        self.token(at).is_some_and(|it| match it.kind {
            Kind::Name if it.text == "of" => self.names.roles[at] == Role::Variable,
            Kind::Name => !RESERVED.contains(&it.text),
            Kind::Sign => ["]", "}"].contains(&it.text),
            _ => false,
        })
    }

    /// Whether a declared variable comes here; it has come then.
    fn expects(&mut self) -> bool {
        let top = self.top();
        let pattern = top.pattern.as_mut().or(top.declarators.as_mut());
        pattern.is_some_and(std::mem::take)
    }

    fn word(&mut self, at: usize, token: Token<'a>) {
        let depth = self.open.len();
        let top = self.top();
        match token.text {
            "const" | "let" | "var" => {
                top.declarators = Some(true);
                top.constant = (token.text == "const").then_some(at);
            }
            "of" | "in" => top.declarators = None,
            "class" => self.classes.push(depth),
            "case" | "default" => {
                if let Within::Block { is_case } = &mut top.within {
                    *is_case = true;
                }
            }
            _ => {}
        }
    }

    /// A name where an object has its keys.
    fn key(&mut self, at: usize, token: Token<'a>) {
        let is_shorthand = self.is_sign_at(at + 1, &[",", "}", "="]);
        let is_key = is_shorthand || self.is_sign_at(at + 1, &[":", "("]);
        if is_key {
            self.top().within = Within::Object { at_key: false };
        }
        if is_shorthand && !RESERVED.contains(&token.text) {
            self.names.roles[at] = Role::Shorthand;
            if self.expects() {
                self.declare(at, token);
            }
        }
    }

    fn sign(&mut self, at: usize, token: Token<'a>) {
        match token.text {
            "{" | "(" | "[" => self.begin(at, token.text),
            "}" | ")" | "]" => {
                if self.open.len() > 1 {
                    self.open.pop();
                }
                let ends_block = token.text == "}";
                if let Within::Class { at } = &mut self.top().within
                    && *at == Member::AfterName
                    && ends_block
                {
                    *at = Member::Name;
                }
            }
            _ => {
                let top = self.top();
                match (token.text, &mut top.within) {
                    (",", Within::Object { at_key }) => *at_key = true,
                    ("...", Within::Object { at_key }) => *at_key = false,
                    (":", Within::Block { is_case }) if *is_case => {
                        *is_case = false;
                        self.is_block_colon = true;
                        return;
                    }
                    ("=", Within::Class { at }) => *at = Member::Value,
                    (";", Within::Class { at }) => *at = Member::Name,
                    _ => {}
                }
                match token.text {
                    "," | "..." => {
                        top.pattern = top.pattern.map(|_| true);
                        top.declarators = top.declarators.map(|_| true);
                    }
                    // The value's pattern is what declares: `{ a: b }`.
                    ":" => top.pattern = top.pattern.map(|_| true),
                    "=" => {
                        top.pattern = top.pattern.map(|_| false);
                        top.declarators = top.declarators.map(|_| false);
                    }
                    ";" => {
                        let constant = top.constant.take();
                        let ended = top.declarators.take().and(constant);
                        self.names
                            .constants
                            .extend(ended.into_iter().flat_map(|it| [it, at]));
                    }
                    _ => {}
                }
                self.is_block_colon = false;
            }
        }
    }

    fn begin(&mut self, at: usize, sign: &str) {
        let expects = self.expects();
        let is_parameters = sign == "(" && self.is_parameters(at);
        let is_one = self.token(at + 1).is_some_and(|it| it.kind == Kind::Name);
        if is_parameters
            && is_one
            && self.is_sign_at(at + 2, &[")"])
            && self.is_sign_at(at + 3, &["=>"])
        {
            self.names.needless.extend([at, at + 2]);
        }
        let within = if sign == "{" {
            self.curly(at)
        } else {
            Within::Other
        };
        if sign == "[" {
            // A computed key, or an element's index.
            self.value();
        }
        let is_pattern = is_parameters || expects && sign != "(";
        let is_top = self.top().is_top && is_pattern && !is_parameters;
        let is_loop = self.is_word_at(at.wrapping_sub(1), &["for"])
            || self.is_word_at(at.wrapping_sub(1), &["await"])
                && self.is_word_at(at.wrapping_sub(2), &["for"]);
        let scope = (is_parameters || is_loop && sign == "(").then(|| {
            let partner = self.names.partners.get(&at).copied().unwrap_or(at);
            let is_arrow = self.is_sign_at(partner + 1, &["=>"]);
            if is_parameters {
                self.bodies.insert(partner + 1 + usize::from(is_arrow), at);
            }
            Extent {
                begin: at,
                end: self.end_of_body(partner),
            }
        });
        self.open.push(Context {
            within,
            pattern: is_pattern.then_some(true),
            declarators: None,
            constant: None,
            is_top,
            begin: at,
            scope,
        });
    }

    fn is_parameters(&self, at: usize) -> bool {
        let partner = self.names.partners.get(&at).copied().unwrap_or(at);
        if self.is_sign_at(partner + 1, &["=>"]) {
            return true;
        }
        let Some(before) = at.checked_sub(1) else {
            return false;
        };
        let follows_function = |at: usize| {
            self.is_word_at(at, &["function"])
                || self.is_sign_at(at, &["*"]) && self.is_word_at(at.wrapping_sub(1), &["function"])
        };
        let is_method = match self.open.last().map(|it| it.within) {
            // The block of a method follows its parameters; no call has one.
            Some(Within::Object { .. } | Within::Class { .. }) => {
                self.is_sign_at(partner + 1, &["{"])
            }
            _ => false,
        };
        is_method
            || follows_function(before)
            || before > 0 && follows_function(before - 1)
            || self.is_word_at(before, &["catch"])
    }

    fn curly(&mut self, at: usize) -> Within {
        let depth = self.open.len();
        let block = Within::Block { is_case: false };
        if self.classes.last() == Some(&depth) {
            self.classes.pop();
            return Within::Class { at: Member::Name };
        }
        let Some(before) = self.before(at).copied() else {
            return block;
        };
        let top = self.open.last().map(|it| it.within);
        let is_object = match before.kind {
            Kind::Name => self.is_word_at(at - 1, &BEFORE_OBJECT),
            Kind::Sign => match before.text {
                ")" | "=>" | ";" | "}" => false,
                "{" => !matches!(top, Some(Within::Block { .. } | Within::Class { .. })),
                ":" => !self.is_block_colon,
                _ => true,
            },
            Kind::Template => opens(&before),
            Kind::Number | Kind::Text | Kind::Regex => false,
        };
        if is_object {
            Within::Object { at_key: true }
        } else {
            block
        }
    }
}

#[cfg(test)]
mod tests;
