use super::super::tokens::tokens;
use super::*;

/// `a` for a variable, `a!` for one of the module, `a?` where a function or a block declares it, `a'` for the
/// same elsewhere, `{a}` for a shorthand, `#a` for a private name.
fn told(source: &str) -> String {
    let tokens = tokens("a.js", source).unwrap();
    let names = names(&tokens);
    let tell = |(at, (token, role)): (usize, (&Token<'_>, &Role))| {
        let is_own = names.inner.keys().any(|it| tokens[*it].text == token.text);
        let mark = match () {
            () if names.declared.contains(token.text) => "!",
            () if names.inner.contains_key(&at) => "?",
            () if is_own => "'",
            () => "",
        };
        match role {
            Role::Other => None,
            Role::Variable => Some(format!("{}{mark}", token.text)),
            Role::Shorthand => Some(format!("{{{}{mark}}}", token.text)),
            Role::Private => Some(token.text.to_owned()),
        }
    };
    let told = tokens.iter().zip(&names.roles).enumerate();
    let told = told.filter_map(tell);
    told.collect::<Vec<_>>().join(" ")
}

#[test]
fn declarations_are_found_and_other_names_are_not() {
    for (source, expected) in [
        ("const a = b, c = d;", "a! b c! d"),
        (
            "let { a, b: c, d = e, f: { g }, ...h } = i;",
            "{a!} c! {d!} e {g!} h! i",
        ),
        ("const [a, , b = c] = d;", "a! b! c d"),
        ("for (const a of b) c(a);", "a? b c a'"),
        (
            "for (const of of of) of(`${of}`, [of]);",
            "of? of' of' of' of'",
        ),
        (
            "const set = (get) => get; set(as);",
            "set! get? get' set! as",
        ),
        ("for (const [a, b] of c) {}", "a? b? c"),
        (
            "for (let i = 0, n = a.b; i < n; i++) {}",
            "i? n? a i' n' i'",
        ),
        (
            "function a(b, { c }, [d], e = f.g, ...h) {}",
            "a! b? {c?} d? e? f h?",
        ),
        ("function* a(b) { yield b; }", "a! b? b'"),
        ("async function a(b) { await b; }", "async a! b? b'"),
        ("const a = (b, c = d) => b;", "a! b? c? d b'"),
        ("a(b => b.c);", "a b? b'"),
        ("a((b), c);", "a b c"),
        ("a(({ b }) => b);", "a {b?} b'"),
        ("try {} catch (a) { b(a); }", "a? b a'"),
        ("try {} catch ({ a }) { b(a); }", "{a?} b a'"),
        ("if (a) { b = 1; }", "a b"),
        ("class A extends B { }", "A! B"),
    ] {
        assert_eq!(told(source), expected, "{source}");
    }
}

#[test]
fn properties_and_labels_are_no_variables() {
    for (source, expected) in [
        ("a.b?.c[d].e;", "a d"),
        (
            "a = { b: c, d, e() { f; }, get g() { h; }, async i(j) {}, 'k': l, [m]: n, ...o };",
            "a c {d} f h j? l m n o",
        ),
        ("a = { get: b, async: c, set };", "a b c {set}"),
        ("a = { get() {}, set(b) {} };", "a b?"),
        ("a = { *b(c) {} };", "a c?"),
        ("a = b ? c : { d };", "a b c {d}"),
        ("a = { b: c ? d : e, f };", "a c d e {f}"),
        ("({ a, b: c } = d);", "{a} c d"),
        ("return { a };", "{a}"),
        ("() => ({ a });", "{a}"),
        ("`${a.b} ${{ c }} ${d}`;", "a {c} d"),
        (
            "switch (a) { case b: { c; } case d.e: f; default: { g; } }",
            "a b c d f g",
        ),
        ("a: for (;;) { break a; continue a; }", ""),
        ("{ a; b = 1; }", "a b"),
        ("if (a) b; else { c, d; }", "a b c d"),
        ("new.target; import.meta.url; new A();", "A"),
    ] {
        assert_eq!(told(source), expected, "{source}");
    }
}

#[test]
fn members_of_a_class_are_no_variables() {
    let source = "class A { a = b; static c = () => { d; }; #e = { f }; static #g; constructor(h) { this.#e = h; } \
        get i() { return j; } static async k(l, { m } = {}) { n; } *o() {} async *p() {} static { q; } r; [s]() {} 't'() {} get() {} }";
    assert_eq!(told(source), "A! b d #e {f} #g h? #e h' j l? {m?} n q s");
    assert_eq!(told("const a = class { b() { c; } };"), "a! c");
    assert_eq!(told("a(class extends B { c = d; });"), "a B d");
}

#[test]
fn functions_loops_and_blocks_have_their_variables() {
    for marked in [
        "f(«(a) => a», a);",
        "f(«(a) => ({ b: a }).c[d(a)]», a);",
        "f(«(a) => `b${a}c${a}`», a);",
        "f(b ? «(a) => (b ? a : c)» : a);",
        "f(b ? «(a) => b ? a : c» : a);",
        "f({ b: «(a, c) => a», d: a });",
        "f(«(b, { a, c: [d] }) => { a; }», a);",
        "f(«a => a», a);",
        "f(async «(a) => a», a);",
        "function f«(a, b = a) { const c = a; }» a;",
        "function f«(b) { const a = b; }» a;",
        "class A { b«(a) { a; }» c = (b) => b; d() { a; } }",
        "class A { b = «(a) => a»; d() { a; } }",
        "b = { c«(a) { a; }», d: a };",
        "try {} catch «(a) { a; }» a;",
        "if (b) «{ const a = 1; a; }» a;",
        "if (b) «{ const { a, b: [c] } = 1; a; }» a;",
        "if (b) «{ a(); function a() {} }» a;",
        "switch (b) «{ case 1: { c; } const a = 1; }» a;",
        "for «(const a of b) { a; }» a;",
        "for «(let a = 0; a < 9; a += 1) a»; a;",
        "async function b() { for await «(const a of c) { a; }» a; }",
        "f((b) => { «(a) => a»; }, a);",
        "f(«(b) => { (c) => { b; }; const a = 1; }», a);",
    ] {
        let source = marked.replace(['«', '»'], "");
        let tokens = tokens("a.js", &source).unwrap();
        let names = names(&tokens);
        let of_a = names
            .inner
            .iter()
            .filter(|(at, _)| tokens[**at].text == "a");
        let parts = of_a.map(|(_, Extent { begin, end })| {
            let (begin, end) = (&tokens[*begin], &tokens[*end]);
            &source[begin.offset..end.offset + end.text.len()]
        });
        let part = marked.split(['«', '»']).nth(1).unwrap();
        assert_eq!(parts.collect::<Vec<_>>(), [part], "{marked}");
    }
}
