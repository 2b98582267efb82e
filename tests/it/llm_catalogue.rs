//! Which models there are, and how they come onto the shelf: from a file, from a repository over real sockets, from a package.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use pmax::llm::catalogue::{BUILT_IN, Catalogue, Digest, ModelName, Source};
use pmax::llm::gguf::random::{Shape, write_random};
use pmax::llm::install::{InstallError, Installed, Progress, Shelf, Wish, digest_of};

fn read(own: &str) -> Result<Catalogue, String> {
    Catalogue::read(BUILT_IN, Some(own)).map_err(|error| error.to_string())
}

#[test]
fn every_model_that_is_offered_says_what_a_person_must_know() {
    let catalogue = Catalogue::read(BUILT_IN, None).unwrap();
    assert_eq!(catalogue.default.as_str(), "smollm2-135m");
    assert_eq!(catalogue.models.len(), 4);
    for (name, entry) in &catalogue.models {
        assert!(entry.bytes.is_some() && entry.sha256.is_some() && entry.knowledge_until.is_some(), "{name}");
        assert!(entry.memory_mb * 1_000_000 > entry.bytes.unwrap() && !entry.fit.is_empty() && !entry.about.is_empty(), "{name}");
        assert_eq!(entry.licence, "Apache-2.0", "{name}");
    }
}

#[test]
fn a_persons_own_catalogue_adds_and_replaces() {
    let own = "default = \"mine\"\n[models.mine]\ntitle = \"Mine\"\nsource = { path = \"/models/mine.gguf\" }\nlicence = \"MIT\"\nmemory_mb = 5\nfit = [\"gpu\"]\n";
    let catalogue = read(own).unwrap();
    assert_eq!((catalogue.default.as_str(), catalogue.models.len()), ("mine", 5));
    let mine = &catalogue.models[&catalogue.default];
    assert_eq!((mine.bytes, &mine.sha256, &mine.source), (None, &None, &Source::File("/models/mine.gguf".into())));
    let replaced = read(&own.replace("mine]", "smollm2-135m]").replace("default = \"mine\"", "")).unwrap();
    assert_eq!((replaced.models.len(), replaced.models[&replaced.default].title.as_str()), (4, "Mine"));
}

#[test]
fn what_does_not_belong_into_a_catalogue_is_refused_with_its_line() {
    let model = |source: &str| {
        format!("\n[models.mine]\ntitle = \"Mine\"\nsource = {source}\nlicence = \"MIT\"\nmemory_mb = 5\nfit = [\"cpu\"]\n")
    };
    let repository = "{ repository = \"a/b\", file = \"c.gguf\" }";
    assert!(read(&model(repository)).is_ok());
    for (own, words) in [
        ("[models", "models.toml, line 1"),
        ("\n\ncolour = 1\n", "line 3"),
        (&model("{ repository = \"a/b\" }"), "a source is a path; or"),
        (&model("{ path = \"x\", file = \"y\" }"), "a source is a path; or"),
        (&model("{ repository = \"a/../b\", file = \"c.gguf\" }"), "no part of a name"),
        (&model("{ repository = \"a/b\", file = \"c.gguf?x=1\" }"), "no part of a name"),
        (&model("{ package = \"--index-url\", version = \"1\", file = \"c\" }"), "no part of a name"),
        (&model("{ package = \"p\", version = \"1; rm\", file = \"c\" }"), "no part of a name"),
        (&model(repository).replace("[models.mine]", "[models.\"../mine\"]"), "no name of a model"),
        (&model(repository).replace("[models.mine]", "[models.Mine]"), "no name of a model"),
        (&model(repository).replace("licence", "sha256 = \"12\"\nlicence"), "64 hexadecimal digits"),
        (&model(repository).replace("fit = [\"cpu\"]", "fit = [\"tpu\"]"), "line 7"),
        ("default = \"nobody\"", "nobody is to be offered"),
    ] {
        let said = read(own).unwrap_err();
        assert!(said.contains(words), "{own}: {said}");
    }
}

#[test]
fn a_files_name_becomes_a_models_name() {
    let name = |path: &str| ModelName::of_file(Path::new(path)).map(|name| name.to_string());
    assert_eq!(name("/x/Qwen2.5-7B_Instruct (1).gguf").unwrap(), "qwen2.5-7b-instruct--1");
    assert_eq!(name(&format!("{}.gguf", "a".repeat(99))).unwrap().len(), 64);
    assert!(name("/x/«».gguf").is_err());
}

/// A tiny model's file and its hash.
fn tiny(folder: &Path) -> (Vec<u8>, Digest) {
    let file = folder.join("Tiny Model.gguf");
    write_random(&Shape::named("tiny-llama").unwrap(), &file, 7).unwrap();
    (fs::read(&file).unwrap(), digest_of(&file, &mut |_| ()).unwrap())
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_file_is_copied_recorded_verified_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let (bytes, digest) = tiny(folder.path());
    let shelf = Shelf::new(folder.path().join("models"));
    assert!(shelf.installed().is_empty());
    let wish = Wish::of_file(&folder.path().join("Tiny Model.gguf")).unwrap();
    let mut progress = Vec::new();
    let installed = shelf.add(&wish, &mut |told| progress.push(told)).unwrap();
    let of = Some(bytes.len() as u64);
    assert_eq!(progress.last(), Some(&Progress { bytes: bytes.len() as u64, of }));
    let record = installed.record.clone().unwrap();
    assert_eq!((record.sha256.as_str(), record.was_expected), (digest.as_str(), false));
    assert_eq!(shelf.installed(), std::slice::from_ref(&installed));
    assert_eq!(names(&folder.path().join("models")), ["tiny-model.gguf", "tiny-model.json"]);
    let name = ModelName::new("tiny-model").unwrap();
    assert_eq!(shelf.verify(&name, None, &mut |_| ()).unwrap().is_right(), Some(true));
    let mut other = bytes.clone();
    *other.last_mut().unwrap() ^= 1;
    fs::write(&installed.file, other).unwrap();
    assert_eq!(shelf.verify(&name, None, &mut |_| ()).unwrap().is_right(), Some(false));
    fs::remove_file(folder.path().join("models/tiny-model.json")).unwrap();
    assert_eq!(shelf.verify(&name, None, &mut |_| ()).unwrap().is_right(), None, "nobody says what it should be");
    assert_eq!(shelf.remove(&name).unwrap(), bytes.len() as u64);
    assert!(matches!(shelf.remove(&name), Err(InstallError::NotInstalled(_))));
    assert!(names(&folder.path().join("models")).is_empty());
}

#[test]
fn what_is_no_model_is_refused_and_the_one_that_is_there_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (bytes, _) = tiny(folder.path());
    let shelf = Shelf::new(folder.path().join("models"));
    let good = Wish::of_file(&folder.path().join("Tiny Model.gguf")).unwrap();
    shelf.add(&good, &mut |_| ()).unwrap();
    for (text, words) in
        [(&b"hello"[..], "no GGUF file"), (&bytes[..100], "ends within its header"), (&bytes[..bytes.len() - 1], "")]
    {
        let file = folder.path().join("bad.gguf");
        fs::write(&file, text).unwrap();
        let refused = shelf.add(&Wish { source: Source::File(file), ..good.clone() }, &mut |_| ()).unwrap_err();
        assert!(matches!(&refused, InstallError::NoModel(_)) && refused.to_string().contains(words), "{refused}");
        assert_eq!(fs::read(shelf.file(&good.name)).unwrap(), bytes);
        assert_eq!(names(&folder.path().join("models")), ["tiny-model.gguf", "tiny-model.json"], "and nothing else is left");
    }
}

/// What a server does with a request for the file.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    /// Gives it, from where it is asked.
    Gives,
    /// Sends elsewhere first, saying the hash.
    SendsOn,
    /// Ends after so many bytes.
    Ends(usize),
    /// Gives it from the beginning, wherever it was asked from.
    Forgets,
    /// Gives as many other bytes.
    Lies,
    Status(u16),
    /// Sends round in circles.
    Circles,
    /// Sends to a file of the machine.
    SendsAway,
}

/// A repository on this machine. Gives its address and the ranges it was asked for.
fn repository(bytes: Vec<u8>, digest: String, manners: Vec<Manner>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let ranges = Arc::new(Mutex::new(Vec::new()));
    let asked = Arc::clone(&ranges);
    std::thread::spawn(move || {
        for (connection, manner) in listener.incoming().zip(manners) {
            let mut connection = connection.unwrap();
            let request = request_of(&mut connection);
            assert!(request.starts_with("GET /owner/name/resolve/main/file.gguf HTTP/1.1"), "{request}");
            let range = request.lines().find_map(|line| line.strip_prefix("range: bytes=")).unwrap_or("").to_owned();
            let from: usize = range.trim_end_matches('-').parse().unwrap_or(0);
            asked.lock().unwrap().push(range);
            let (status, headers, body) = reply(manner, &bytes, &digest, from);
            let head = format!("HTTP/1.1 {status} x\r\nconnection: close\r\n{headers}\r\n");
            // A client that has seen enough closes.
            drop(connection.write_all(head.as_bytes()).and_then(|()| connection.write_all(&body)));
        }
    });
    (address, ranges)
}

fn reply(manner: Manner, bytes: &[u8], digest: &str, from: usize) -> (u16, String, Vec<u8>) {
    let here = "location: /owner/name/resolve/main/file.gguf";
    let range = |from: usize| {
        format!("content-length: {}\r\ncontent-range: bytes {from}-{}/{}\r\n", bytes.len() - from, bytes.len() - 1, bytes.len())
    };
    match manner {
        Manner::Gives if from > 0 => (206, range(from), bytes[from..].to_vec()),
        Manner::Gives | Manner::Forgets => (200, format!("content-length: {}\r\n", bytes.len()), bytes.to_vec()),
        Manner::SendsOn => (302, format!("{here}\r\nx-linked-etag: \"{digest}\"\r\ncontent-length: 0\r\n"), Vec::new()),
        Manner::Ends(at) => (200, format!("content-length: {}\r\n", bytes.len()), bytes[..at].to_vec()),
        Manner::Lies => (200, format!("content-length: {}\r\n", bytes.len()), vec![b'x'; bytes.len()]),
        Manner::Status(status) => (status, "content-length: 0\r\n".to_owned(), Vec::new()),
        Manner::Circles => (302, format!("{here}\r\ncontent-length: 0\r\n"), Vec::new()),
        Manner::SendsAway => (302, "location: file:///etc/passwd\r\ncontent-length: 0\r\n".to_owned(), Vec::new()),
    }
}

fn request_of(connection: &mut TcpStream) -> String {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") && connection.read(&mut byte).unwrap() == 1 {
        request.push(byte[0]);
    }
    String::from_utf8(request).unwrap().replace("\r\n", "\n")
}

struct Fetched {
    folder: tempfile::TempDir,
    bytes: Vec<u8>,
    digest: Digest,
}

impl Fetched {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (bytes, digest) = tiny(folder.path());
        Self { folder, bytes, digest }
    }

    fn models(&self) -> std::path::PathBuf {
        self.folder.path().join("models")
    }

    /// Fetches from a server of these manners, one for each connection. Gives what came of it, and the ranges.
    fn fetch(&self, manners: &[Manner], known: bool) -> (Result<Installed, InstallError>, Vec<String>) {
        let (address, ranges) = repository(self.bytes.clone(), self.digest.as_str().to_owned(), manners.to_vec());
        let source = Source::Repository { repository: "owner/name".into(), revision: "main".into(), file: "file.gguf".into() };
        let wish = Wish {
            name: ModelName::new("fetched").unwrap(),
            title: "Fetched".to_owned(),
            source,
            hugging_face: address,
            bytes: known.then_some(self.bytes.len() as u64),
            sha256: known.then(|| self.digest.clone()),
            licence: None,
            knowledge_until: None,
        };
        let fetched = Shelf::new(self.models()).add(&wish, &mut |_| ());
        let ranges = ranges.lock().unwrap().clone();
        (fetched, ranges)
    }
}

#[test]
fn a_repositorys_file_is_fetched_and_checked() {
    for (manners, known, expected) in
        [(&[Manner::Gives][..], true, true), (&[Manner::Gives], false, false), (&[Manner::SendsOn, Manner::Gives], false, true)]
    {
        let fetched = Fetched::new();
        let installed = fetched.fetch(manners, known).0.unwrap();
        assert_eq!(fs::read(&installed.file).unwrap(), fetched.bytes);
        let record = installed.record.unwrap();
        assert_eq!((record.was_expected, record.sha256.as_str()), (expected, fetched.digest.as_str()));
        assert_eq!(names(&fetched.models()), ["fetched.gguf", "fetched.json"]);
    }
}

#[test]
fn a_fetch_that_was_cut_off_goes_on_where_a_hash_proves_its_end() {
    for (known, second, ranges) in [
        (true, &[Manner::Gives][..], &["500-"][..]),
        (true, &[Manner::Forgets], &["500-"]),
        (false, &[Manner::SendsOn, Manner::Gives], &["500-", "500-"]),
        // Nobody says what it should be: from the beginning.
        (false, &[Manner::Gives, Manner::Gives], &["500-", ""]),
        // Asked for more than there is.
        (true, &[Manner::Status(416), Manner::Gives], &["500-", ""]),
    ] {
        let fetched = Fetched::new();
        let (cut, _) = fetched.fetch(&[Manner::Ends(500)], known);
        assert!(matches!(cut, Err(InstallError::Fetch { .. })), "{cut:?}");
        assert_eq!(names(&fetched.models()), ["fetched.part"], "under a name that no model has");
        let (installed, asked) = fetched.fetch(second, known);
        assert_eq!(fs::read(installed.unwrap().file).unwrap(), fetched.bytes);
        assert_eq!(asked, ranges);
    }
}

#[test]
fn what_a_server_does_wrong_is_said_and_leaves_nothing_that_could_be_taken_for_a_model() {
    for (manners, words) in [
        (&[Manner::Status(404)][..], "no such file"),
        (&[Manner::Status(401)], "wants an account"),
        (&[Manner::Status(503)], "503"),
        (&[Manner::Circles; 9], "from one place to the next"),
        (&[Manner::SendsAway], "file is spoken by no server here"),
        (&[Manner::Lies], "SHA-256"),
        (&[Manner::Ends(10)], "did not give it"),
        (&[], "did not give it"),
    ] {
        let fetched = Fetched::new();
        let refused = fetched.fetch(manners, true).0.unwrap_err().to_string();
        assert!(refused.contains(words), "{refused}");
        assert!(Shelf::new(fetched.models()).installed().is_empty());
    }
    let fetched = Fetched::new();
    let (refused, _) = fetched.fetch(&[Manner::Lies], false);
    assert!(matches!(refused, Err(InstallError::NoModel(_))), "{refused:?}");
    assert!(names(&fetched.models()).is_empty(), "what is wrong is not taken up again");
}
