use super::super::short_names::short_names_by_use;
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
    assert!(module.imports.is_empty() && module.on_demand.is_empty() && module.exports.is_empty());
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
