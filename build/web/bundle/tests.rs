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
            ("b.js", "import { c } from './c.js';\nexport const b = c();\nexport const unused = 1;"),
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
        "let d=0;function b(){return d++}\nconst c=b();\ne();\nexport const a=b+c;\n"
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
    assert_eq!(
        made["made/a.js"].text,
        LOAD.to_owned() + "const b={};\nconst a=await $$('./made/b.js',()=>[b]);\n"
    );
    assert_eq!(made["made/b.js"].modules, ["t.js", "b.js"]);
    assert_eq!(
        made["made/b.js"].text,
        "let made;\nexport default(a)=>made??=(()=>{\nconst b={};\nconst c=[a,b];\nreturn{b:c}})();\n"
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
        made["made/c.js"].text.contains("(b)=>made")
            && made["made/c.js"].text.contains("$$('./made/d.js',()=>[b])")
            && made["made/d.js"].text.contains("(a)=>made")
            && made["made/d.js"].text.contains("Promise.resolve({s:a})"),
        "{made:?}"
    );
}

#[test]
fn script_on_demand_brings_functions_that_its_page_has_no_use_for() {
    let made = bundle(
        &[
            (
                "a.js",
                "import { f } from './f.js';\nf();\nimport('./b.js');\nimport('./c.js');",
            ),
            (
                "b.js",
                "import { g } from './f.js';\nimport('./d.js');\nexport const b = g;",
            ),
            (
                "c.js",
                "import { f, k } from './f.js';\nexport const c = [f, k];",
            ),
            ("d.js", "import { g } from './f.js';\nexport const d = g;"),
            (
                "f.js",
                "export function f() { f; }\nexport function g() { g; }\nexport const k = {};",
            ),
        ],
        "a.js",
    )
    .unwrap();
    // What has state is one for all.
    assert_eq!(made["made/c.js"].modules, ["c.js"]);
    let made = bundle(
        &[
            (
                "a.js",
                "import { f } from './f.js';\nf();\nimport('./b.js');\nimport('./c.js');",
            ),
            (
                "b.js",
                "import { g } from './f.js';\nimport('./d.js');\nexport const b = g;",
            ),
            ("c.js", "import { f } from './f.js';\nexport const c = f;"),
            ("d.js", "import { g } from './f.js';\nexport const d = g;"),
            (
                "f.js",
                "export function f() { f; }\nexport function g() { g; }",
            ),
        ],
        "a.js",
    )
    .unwrap();
    assert!(!made["made/a.js"].text.contains("function b"), "{made:?}");
    assert_eq!(made["made/b.js"].modules, ["f.js", "b.js"]);
    assert!(made["made/b.js"].text.contains("function a(){a}\n"));
    assert_eq!(made["made/c.js"].modules, ["c.js"]);
    // The script that asks for it hands it over.
    assert_eq!(made["made/d.js"].modules, ["d.js"]);
}

#[test]
fn module_that_awaits_is_awaited_by_the_script_that_has_it() {
    let mut sources = [
        (
            "a.js",
            "import './b.js';\nimport { c } from './c.js';\nc();",
        ),
        ("b.js", "export const b = 1;"),
        (
            "c.js",
            "const d = await import('./b.js');\nexport const c = () => d;",
        ),
    ];
    let made = bundle(&sources, "a.js").unwrap();
    assert_eq!(
        made["made/a.js"].text,
        "const c=1;\nconst b=await Promise.resolve({b:c}),a=()=>b;\na();\n"
    );
    sources[0].1 = "import('./c.js');";
    assert_eq!(
        bundle(&sources, "a.js").unwrap_err().to_string(),
        "web/c.js:1: awaits, and is loaded on demand with web/c.js"
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
        "new Worker(new URL('./made/a/w.js',import.meta.url));new URL('./made/i.svg',import.meta.url);\n"
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
    let script = bundler
        .entry_elsewhere(("made.js", "a.js"), "./assets/")
        .unwrap();
    assert_eq!(
        (&*script.name, &script.modules[..]),
        ("made.js", &["a.js".to_owned()][..])
    );
    assert_eq!(
        script.text,
        LOAD.to_owned()
            + "$$('./assets/made/b.js',()=>[]);\
         new URL('./assets/made/i.svg',import.meta.url);export class A{}\n"
    );
    let scripts = bundler.finish();
    assert_eq!(scripts.len(), 1);
    assert!(scripts[0].text.contains("new URL('./made/i.svg',"));
}

#[test]
fn names_of_modules_do_not_clash() {
    let made = bundle(
        &[
            (
                "a.js",
                "import { b as c } from './b.js';\nimport { d } from './c.js';\nconst e = (f) => c(d, f);\n\
                 export const load = async (g) => (await import('./d.js')).d(g, e);",
            ),
            ("b.js", "const e = 1;\nfunction d() { return e + e; }\nexport { d as b };"),
            ("c.js", "import { b } from './b.js';\nexport { b as d };"),
            ("d.js", "import { d as h } from './c.js';\nconst e = 2;\nexport const d = (f) => [h, e, f];"),
        ],
        "a.js",
    )
    .unwrap();
    assert_eq!(
        made["made/a.js"].text,
        LOAD.to_owned()
            + "const b=1;function a(){return b+b}\nconst c=b=>a(a,b);\
               export const load=async b=>(await $$('./made/d.js',()=>[a])).d(b,c);\n"
    );
    assert_eq!(
        made["made/d.js"].text,
        "let made;\nexport default(a)=>made??=(()=>{\nconst b=2,c=c=>[a,b,c];\nreturn{d:c}})();\n"
    );
}

#[test]
fn entry_may_export_what_it_imports() {
    let sources = [
        ("a.js", "import { A } from './b.js';\nexport { A };"),
        ("b.js", "export class A {}"),
    ];
    assert_eq!(
        bundle(&sources, "a.js").unwrap()["made/a.js"].text,
        "class a{}\nexport{a as A};\n"
    );
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
