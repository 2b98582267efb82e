use super::*;
use crate::domain::Direction;

const FRAME: &str = "const NAME = \"probe\"; const HORIZON = 5; const WARM_UP = 10;\n";

fn read(body: &str) -> Result<Script, String> {
    Script::read("probe.rhai", &format!("{FRAME}fn look(history) {{\n{body}\n}}")).map_err(|error| error.to_string())
}

fn rising() -> Vec<f64> {
    (0..40).map(|index| 100.0 + f64::from(index)).collect()
}

#[test]
fn a_script_thinks_or_abstains() {
    let script = read("if history.change(5) > 0.0 { long(2.5, `up ${percent(history.change(5))}`) }").unwrap();
    let thought = script.look(&AsOf::new(&rising())).unwrap();
    assert_eq!((thought.direction, thought.strength, thought.horizon_bars), (Direction::Long, 2.5, 5));
    assert_eq!(thought.rationale, "up +3.73 %");
    assert_eq!(script.look(&AsOf::new(&[100.0; 40])), None);
    assert_eq!(script.look(&AsOf::new(rising().get(..9).unwrap())), None, "nothing before its warm-up");
}

#[test]
fn it_sees_its_warm_up_and_nothing_else() {
    let script = read("long(history.bars(), `${digits(history.close(9), 0)} ${digits(history.before(2).close(), 0)}`)").unwrap();
    let thought = script.look(&AsOf::new(&rising())).unwrap();
    assert_eq!((thought.strength, thought.rationale.as_str()), (10.0, "130 137"));
}

#[test]
fn what_is_not_defined_is_no_view_and_no_fault() {
    let script = read("long(history.deviation(5) * 10.0, \"moved\")").unwrap();
    assert_eq!(script.examine(&AsOf::new(&[100.0; 40])), Ok(None));
}

#[test]
fn a_bad_script_is_refused_with_its_line() {
    for (body, parts) in [
        ("let x = ;", &["probe.rhai, line 3"][..]),
        ("history.closs(3)", &["line 3", "closs"]),
        ("history.close(-1)", &["line 3", "there is none after it"]),
        ("history.close(10)", &["line 3", "raise WARM_UP"]),
        ("loop { }", &["probe.rhai", "10000 steps"]),
        ("look(history)", &["probe.rhai"]),
        ("42", &["look must give nothing"]),
        ("long(1.0 / 0.0, \"sure\")", &["strength"]),
        ("long(-1, \"sure\")", &["strength"]),
        ("let text = \"a\"; loop { text += text; }", &["probe.rhai"]),
        ("let list = []; loop { list.push(1); }", &["probe.rhai"]),
        ("eval(\"42\")", &["line 3", "eval"]),
        ("print(42)", &["line 3", "print"]),
        ("import \"x\" as x;", &["line 3"]),
        ("timestamp()", &["line 3", "timestamp"]),
        ("sleep(1)", &["line 3", "sleep"]),
        ("2.0 ** 0.5", &["line 3"]),
        ("rand()", &["line 3", "rand"]),
    ] {
        let error = read(body).unwrap_err();
        assert!(parts.iter().all(|part| error.contains(part)), "{body}: {error}");
    }
    for (text, part) in [
        ("const NAME = \"a\"; const HORIZON = 5; const WARM_UP = 9;", "no `fn look(history)`"),
        ("const HORIZON = 5; const WARM_UP = 9; fn look(history) {}", "`const NAME"),
        ("const NAME = \"A b\"; const HORIZON = 5; const WARM_UP = 9; fn look(history) {}", "not a name"),
        ("const NAME = \"a\"; const HORIZON = 0; const WARM_UP = 9; fn look(history) {}", "HORIZON = 0"),
        ("const NAME = \"a\"; const HORIZON = 5; const WARM_UP = 641; fn look(history) {}", "WARM_UP = 641"),
    ] {
        let error = Script::read("a.rhai", text).unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}

#[test]
fn a_look_keeps_nothing_for_the_next() {
    let script = read("let seen = history.mean(10); if seen > 0.0 { long(seen / 100.0, \"mean\") }").unwrap();
    let (first, other) = (rising(), vec![50.0; 40]);
    let before = script.look(&AsOf::new(&first));
    script.look(&AsOf::new(&other));
    assert_eq!(script.look(&AsOf::new(&first)), before);
}

#[test]
fn a_reference_is_read_as_it_is_written() {
    let reference = read("").unwrap().reference();
    let text = serde_json::to_string(&reference).unwrap();
    assert_eq!(serde_json::from_str::<ScriptRef>(&text).unwrap(), reference);
    assert!(serde_json::from_str::<ScriptRef>("\"probe@12\"").is_err());
    let scripts: Scripts = vec![reference].try_into().unwrap();
    assert_eq!(scripts.changed_in(&scripts), None);
    let changed: Scripts = vec![read("// new").unwrap().reference()].try_into().unwrap();
    assert_eq!(scripts.changed_in(&changed), Some("probe".parse().unwrap()));
    assert!(Scripts::try_from(vec![reference; 9]).is_err());
}
