use super::super::tokens::tokens;
use super::*;

fn strip(source: &str) -> String {
    let mut writer = Writer::default();
    for token in tokens("a.js", source).unwrap_or_else(|fault| panic!("{fault}: {source}")) {
        writer.put(&token);
    }
    writer.finish().trim_end().to_owned()
}

#[test]
fn comments_and_indentation_go() {
    for (source, stripped) in [
        ("// a\n  let a = 1; // b\n", "let a=1;"),
        ("/** a\n * b */\nlet a /* c */ = 1;", "let a=1;"),
        ("if (a) {\n    b();\n\n\n  }\n  c();", "if(a){b()}\nc();"),
        ("f(\n  a,\n  b,\n)\n  .then(c);", "f(a,b).then(c);"),
        ("a/**/b", "a b"),
        ("a /*\n*/ b", "a\nb"),
    ] {
        assert_eq!(strip(source), stripped, "{source}");
    }
}

#[test]
fn strings_templates_and_expressions_stay_as_they_are() {
    for source in [
        r#"'// no comment'"#,
        r#"'it\'s /* none */'"#,
        r#""a \" // b""#,
        "`  // a\n  /* b */ ${c} \\` ${`  //${d}  `}  `",
        "`${{a:{b:`}`}}}`",
        "`\\${ // }`",
        "`$ ${a}$`",
        r"a=/[/*]\/ '/g",
        r"a=/\//.test(b)",
        r"a=/[\]/]/u",
        "`line\\\n   line`",
    ] {
        assert_eq!(strip(source), source);
    }
}

#[test]
fn slash_divides_or_begins_an_expression() {
    for (source, stripped) in [
        ("a / b / c", "a/b/c"),
        ("a = b\n/ c /d", "a=b\n/c/d"),
        ("(a) / 2 // c", "(a)/2"),
        ("a[0] / b['/']", "a[0]/b['/']"),
        ("a++ / 2 / b", "a++/2/b"),
        ("if (a) /'/.test(b)", "if(a)/'/.test(b)"),
        ("while (a(b)) /\"/g.exec(c)", "while(a(b))/\"/g.exec(c)"),
        ("f(a) / '/'.length", "f(a)/'/'.length"),
        ("return /'/", "return/'/"),
        ("typeof /'/ / 2", "typeof/'//2"),
        ("a.return / b / '1'", "a.return/b/'1'"),
        ("a.if(b) / c / 'd'", "a.if(b)/c/'d'"),
        ("a?.in / b / 'c'", "a?.in/b/'c'"),
        ("this / 2 / '3'", "this/2/'3'"),
        ("`${a / 2}` / 2", "`${a/2}`/2"),
        ("`${/`/.test(a)}`", "`${/`/.test(a)}`"),
        ("[/'/, /\"/]", "[/'/,/\"/]"),
        ("a ? /'/ : /\"/", "a?/'/:/\"/"),
        ("() => /'/", "()=>/'/"),
        ("1 / /'/.lastIndex", "1/ /'/.lastIndex"),
        ("x = a /= 2", "x=a/=2"),
        ("a\n/* b */ / c", "a\n/c"),
    ] {
        assert_eq!(strip(source), stripped, "{source}");
    }
}

#[test]
fn tokens_do_not_run_into_one_another() {
    for (source, stripped) in [
        ("a + +b", "a+ +b"),
        ("a + ++b", "a+ ++b"),
        ("a - -b", "a- -b"),
        ("a++ + b", "a++ +b"),
        ("a-- > b", "a-- >b"),
        ("a < !b", "a< !b"),
        ("1 .a", "1 .a"),
        ("1.5.toFixed()", "1.5 .toFixed()"),
        ("1e-3 - .5", "1e-3-.5"),
        ("0xe - 1", "0xe-1"),
        ("a ? .5 : 1", "a?.5:1"),
        ("a?.b ?? c", "a?.b??c"),
        ("#a in b", "#a in b"),
        ("static #a = 1", "static #a=1"),
        ("async * #a() {}", "async*#a(){}"),
        ("/a/ in b", "/a/ in b"),
        ("/a/g in b", "/a/g in b"),
        ("'a' in b", "'a'in b"),
        ("return 'a'", "return'a'"),
        ("case `a`:", "case`a`:"),
        ("12n ** 2n", "12n**2n"),
        ("1_000 in a", "1_000 in a"),
        ("größe of größen", "größe of größen"),
        ("a >>> b >>>= c", "a>>>b>>>=c"),
    ] {
        assert_eq!(strip(source), stripped, "{source}");
    }
}

#[test]
fn line_ends_that_may_end_a_statement_stay() {
    for source in [
        "a\nb",
        "a\n++b",
        "return\na",
        "let a=b\n(c)",
        "class A{a\nb=1\n*c(){}}",
    ] {
        assert_eq!(strip(source), source, "{source}");
    }
}

#[test]
fn needless_signs_go_and_the_others_stay() {
    for (source, stripped) in [
        ("{ a; }", "{a}"),
        ("f(a, b,);", "f(a,b);"),
        ("[a, b,]", "[a,b]"),
        ("[a,,]", "[a,,]"),
        ("[,]", "[,]"),
        ("[, a]", "[,a]"),
        ("({ a, })", "({a})"),
        ("if (a) { while (b); }", "if(a){while(b);}"),
        ("{ if (a); else; }", "{if(a);else;}"),
        ("{ f(a); }", "{f(a)}"),
        ("{ a: ; }", "{a:;}"),
        ("for (;;) {}", "for(;;){}"),
        ("for (a; b;) {}", "for(a;b;){}"),
        ("{ do a(); while (b); }", "{do a();while(b);}"),
        ("{ a = {}; }", "{a={}}"),
    ] {
        assert_eq!(strip(source), stripped, "{source}");
    }
}
