//! A person's watchlist: search by name over real sockets, the window, the command line, and a run that goes on with it.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use pmax::domain::BrokerKind;
use pmax::market::providers::{ProviderTable, ProvidersLink, Surroundings, clients};
use pmax::runtime::{Changed, FeedView, Hit, Known, Palette, SearchStands, SearchView, Shelf, WatchChange, wall_now};
use pmax::ui::{Effect, Event, Overlay};

use crate::providers_session::{leading_to, venues};
use crate::stage::{Stage, lived};
use crate::support::market_server::{Reply, Server, http, say};
use crate::support::pty::{Key, Launch, Terminal};
use crate::support::{deadline, run, shared};
use crate::terminal::{NOTICE, home, open_as, quit};

const TABLE: &str = include_str!("../../config/providers.toml");
const FOUND: &str = r#"{"count":4,"quotes":[
    {"symbol":"SOL-USD","shortname":"Solana USD","quoteType":"CRYPTOCURRENCY","exchange":"CCC","exchDisp":"CCC"},
    {"symbol":"BTC-USD","shortname":"Bitcoin USD","quoteType":"CRYPTOCURRENCY","exchange":"CCC","exchDisp":"CCC"},
    {"symbol":"SOL.DE","shortname":"Solar AG","quoteType":"EQUITY","exchange":"GER","exchDisp":"XETRA","sectorDisp":"Technology"},
    {"symbol":"SOLX","shortname":"A fund","quoteType":"MUTUALFUND","exchange":"NAS","exchDisp":"NASDAQ"}],"news":[]}"#;

fn hits() -> Vec<Hit> {
    clients::yahoo_search(200, FOUND.as_bytes()).unwrap()
}

/// A link to Yahoo at this port, with nothing to watch.
fn link(port: u16, own: &str) -> ProvidersLink {
    let text = format!("[provider.yahoo]\nhttp = \"http://127.0.0.1:{port}\"\n{own}");
    let table = ProviderTable::read(TABLE, Some(&text)).unwrap();
    let surroundings = Surroundings { clock: wall_now, kept: None, keep: Box::new(|_| Ok(())), seed: 1 };
    ProvidersLink::start(table, Vec::new(), surroundings).unwrap()
}

fn wait(link: &ProvidersLink, words: &str, is_there: impl Fn(&SearchStands) -> bool) -> SearchStands {
    let until = Instant::now() + deadline();
    loop {
        let view = link.view().search;
        if let Some(search) = view.as_ref().filter(|search| search.words == words && is_there(&search.stands)) {
            return search.stands.clone();
        }
        assert!(Instant::now() < until, "never came: {view:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

const fn is_over(stands: &SearchStands) -> bool {
    !matches!(stands, SearchStands::Waiting)
}

fn counting(answer: impl Fn(&str) -> Reply + Send + Sync + 'static) -> (Server, Arc<Mutex<Vec<String>>>) {
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let paths = Arc::clone(&asked);
    let server = http(move |path| {
        paths.lock().unwrap().push(path.to_owned());
        answer(path)
    });
    (server, asked)
}

#[test]
fn words_that_stand_still_are_asked_for_once() {
    let (server, asked) = counting(|_| say(200, FOUND));
    let link = link(server.port, "");
    for words in ["s", "so", "sol"] {
        link.search(words.to_owned());
    }
    let SearchStands::Found(found) = wait(&link, "sol", is_over) else { panic!("it finds") };
    assert_eq!(found, hits());
    link.search("sol ".to_owned());
    wait(&link, "sol", is_over);
    let paths = asked.lock().unwrap().clone();
    assert_eq!(paths, ["/v1/finance/search?q=sol&quotesCount=10&newsCount=0&lang=en-US&region=US"]);
    link.search(String::new());
    let until = Instant::now() + deadline();
    while link.view().search.is_some() {
        assert!(Instant::now() < until, "no words end it");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn the_captured_real_answer_is_read() {
    let Some(folder) = shared() else { return };
    let text = fs::read_to_string(folder.join("data/from-repos/yahoo-http/v1_search_AAPL_trimmed_2026-03-04.json")).unwrap();
    let (server, _) = counting(move |_| say(200, text.clone()));
    let link = link(server.port, "");
    link.search("AAPL".to_owned());
    let SearchStands::Found(found) = wait(&link, "AAPL", is_over) else { panic!("it finds") };
    let rows: Vec<(&str, &str, &str, &str)> =
        found.iter().map(|hit| (hit.symbol.as_str(), hit.name.as_str(), hit.exchange.as_str(), hit.sector.as_str())).collect();
    assert_eq!(rows, [("AAPL", "Apple Inc.", "NASDAQ", "Technology")], "a company that is not listed is no row");
}

#[test]
fn each_refusal_of_a_search_is_said_and_a_host_that_wants_rest_gets_it() {
    for (status, body, words) in [
        (200, "<html>consent</html>", "it does not serve this place"),
        (200, "{\"quotes\":3}", "an answer of another shape"),
        (503, "Will be right back", "trouble of its own"),
        (404, "", "it refused the request"),
    ] {
        let (server, _) = counting(move |_| say(status, body));
        let link = link(server.port, "");
        link.search("x".to_owned());
        let SearchStands::Refused(why) = wait(&link, "x", is_over) else { panic!("{status} {body}") };
        assert!(why.contains(words), "{why}");
    }
    let (server, asked) = counting(|_| Reply::Say(429, vec![("Retry-After", "300".to_owned())], b"Too Many Requests".to_vec()));
    let link = link(server.port, "");
    link.search("x".to_owned());
    assert!(matches!(wait(&link, "x", is_over), SearchStands::Refused(why) if why.contains("too many requests")));
    link.search("y".to_owned());
    let SearchStands::Later { until } = wait(&link, "y", is_over) else { panic!("it waits") };
    assert!((200..=300).contains(&(until.since(wall_now()).0 / 1_000_000_000)));
    assert_eq!(asked.lock().unwrap().len(), 1, "a host that wants rest is not asked");
}

#[test]
fn a_search_that_the_budget_has_no_room_for_is_not_sent() {
    let count = Arc::new(AtomicU32::new(0));
    let seen = Arc::clone(&count);
    let (server, _) = counting(move |_| {
        seen.fetch_add(1, Ordering::Relaxed);
        say(200, FOUND)
    });
    let link = link(server.port, "endpoints = { search = { per_day = 1 } }\n");
    link.search("one".to_owned());
    wait(&link, "one", |stands| matches!(stands, SearchStands::Found(_)));
    link.search("two".to_owned());
    wait(&link, "two", |stands| matches!(stands, SearchStands::Later { .. }));
    link.search("one".to_owned());
    wait(&link, "one", |stands| matches!(stands, SearchStands::Found(_)));
    assert_eq!(count.load(Ordering::Relaxed), 1, "what was answered is remembered");
}

/// A window over a list in a folder of its own.
struct Window {
    stage: Stage,
    shelf: Shelf,
    _folder: tempfile::TempDir,
}

fn window(size: (u16, u16)) -> Window {
    let folder = tempfile::tempdir().unwrap();
    let shelf = Shelf::beside(&folder.path().join("pmax.toml"), BrokerKind::Paper);
    let mut stage = Stage::new(lived(), size, Palette::GreenRed);
    stage.state.watch.known = Some(Arc::new(shelf.load().unwrap()));
    Window { stage, shelf, _folder: folder }
}

impl Window {
    fn press(&mut self, code: KeyCode, modifiers: KeyModifiers) -> Vec<Effect> {
        let effects = self.stage.event(&Event::Key(KeyEvent::new(code, modifiers)));
        // The desk that writes, without its thread.
        for effect in &effects {
            if let Effect::Watch(change) = effect {
                let known: Arc<Known> = self.stage.state.watch.known.clone().unwrap();
                let outcome = self.shelf.change(&known, change).map(Arc::new).map_err(|trouble| trouble.what);
                if let Ok(known) = &outcome {
                    self.stage.context.instruments = Arc::clone(&known.instruments);
                }
                let changed = Changed { change: (**change).clone(), outcome };
                self.stage.event(&Event::Watched(Arc::new(changed)));
            }
        }
        effects
    }

    fn keys(&mut self, letters: &str) {
        letters.chars().for_each(|letter| drop(self.press(KeyCode::Char(letter), KeyModifiers::NONE)));
    }

    fn search(&mut self, words: &str, stands: SearchStands) {
        let search = Some(Arc::new(SearchView { words: words.to_owned(), stands }));
        self.stage.feed = Some(FeedView { search, ..FeedView::default() });
    }

    fn symbols(&self) -> Vec<String> {
        let known = self.stage.state.watch.known.as_ref().unwrap();
        known.watched().into_iter().map(|one| one.symbol.clone()).collect()
    }
}

#[test]
fn a_new_instrument_is_found_shown_and_written_only_after_a_yes() {
    let mut window = window((120, 40));
    window.stage.feed = Some(FeedView::default());
    window.keys("w");
    insta::assert_snapshot!("watchlist_120x40", window.stage.shot());
    window.keys("sol");
    assert!(window.stage.text().contains("asking Yahoo"), "{}", window.stage.text());
    window.search("sol", SearchStands::Found(hits()));
    insta::assert_snapshot!("watchlist_search_120x40", window.stage.shot());
    let text = window.stage.text();
    let row = |symbol: &str| text.lines().find(|line| line.contains(symbol)).unwrap().to_owned();
    assert!(row("BTC-USD").contains("is BTCUSD") && row("SOL-USD").contains("new"), "{text}");
    assert!(row("SOLX").contains("one price a day") && row("SOL.DE").contains("EUR"), "{text}");
    window.press(KeyCode::Enter, KeyModifiers::NONE);
    insta::assert_snapshot!("watchlist_confirm_120x40", window.stage.shot());
    window.press(KeyCode::Enter, KeyModifiers::NONE);
    assert!(!window.symbols().contains(&"SOLUSD".to_owned()), "Enter is no yes");
    window.keys("y");
    assert!(window.symbols().contains(&"SOLUSD".to_owned()));
    let own = fs::read_to_string(window.shelf.file()).unwrap();
    assert!(own.contains("id = 501") && own.contains("SOL-USD"), "{own}");
    assert_eq!(window.shelf.load().unwrap().list, window.stage.state.watch.known.clone().unwrap().list);
    assert!(window.stage.text().contains("is SOLUSD"), "{}", window.stage.text());
}

#[test]
fn what_joins_and_leaves_is_asked_of_the_engine_and_known_ones_need_no_search() {
    let mut window = window((120, 40));
    window.stage.feed = Some(FeedView::default());
    window.keys("wibm");
    let effects = window.press(KeyCode::Delete, KeyModifiers::NONE);
    let Some(Effect::Follow(number, request)) = effects.iter().find(|effect| matches!(effect, Effect::Follow(..))) else {
        panic!("the engine is asked before the list changes: {effects:?}")
    };
    assert!(request.joins.is_empty() && request.leaves.len() == 1 && *number > 0);
    assert!(window.symbols().contains(&"IBM".to_owned()), "it leaves the list once the engine has let it go");
    window.stage.state.watch.leaving = None;
    window.stage.feed = None;
    window.press(KeyCode::Delete, KeyModifiers::NONE);
    assert!(!window.symbols().contains(&"IBM".to_owned()));
    assert!(window.stage.text().contains("known, not watched"), "{}", window.stage.text());
    assert!(window.stage.text().contains("nobody is asked in this run"), "{}", window.stage.text());
    window.stage.feed = Some(FeedView::default());
    let before = window.stage.state.asked;
    window.press(KeyCode::Enter, KeyModifiers::NONE);
    assert!(window.symbols().contains(&"IBM".to_owned()) && window.stage.state.asked == before + 1, "it joins the run");
}

#[test]
fn rows_move_and_join_groups_by_keys_and_every_state_of_a_search_is_said() {
    let mut window = window((80, 24));
    window.keys("w");
    let before = window.symbols();
    window.press(KeyCode::Down, KeyModifiers::SHIFT);
    let after = window.symbols();
    assert_eq!((&after[0], &after[1]), (&before[1], &before[0]));
    window.press(KeyCode::Char('g'), KeyModifiers::CONTROL);
    window.keys("mine");
    assert!(window.stage.text().contains("group: mine"), "{}", window.stage.text());
    window.press(KeyCode::Enter, KeyModifiers::NONE);
    assert_eq!(window.stage.state.own_groups["mine"], [before[0].clone()]);
    insta::assert_snapshot!("watchlist_80x24", window.stage.shot());
    window.keys("xyz");
    for (stands, words) in [
        (SearchStands::Waiting, "asking Yahoo"),
        (
            SearchStands::Later { until: window.stage.now().plus(pmax::domain::Duration::seconds(40)) },
            "no room in Yahoo's budget",
        ),
        (SearchStands::Found(Vec::new()), "knows nothing by these words"),
        (SearchStands::Refused("no connection".to_owned()), "Yahoo: no connection"),
    ] {
        window.search("xyz", stands);
        assert!(window.stage.text().contains(words), "{words}: {}", window.stage.text());
    }
    window.press(KeyCode::Esc, KeyModifiers::NONE);
    assert!(!window.stage.state.overlays.iter().any(|overlay| matches!(overlay, Overlay::Watch(_))));
    window.keys(":watch remove nothing");
    window.press(KeyCode::Enter, KeyModifiers::NONE);
    assert!(window.stage.text().contains("is not watched"), "{}", window.stage.text());
}

fn said(args: &[&str], home: &Path) -> (Option<i32>, String) {
    let output = run(args, &[], home);
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code(), text)
}

#[test]
fn the_list_is_changed_from_scripts_and_a_number_is_never_given_twice() {
    let home = home();
    let (server, asked) = counting(|_| say(200, FOUND));
    let own = format!("watch = [\"BTCUSD\", \"IBM\"]\n[provider.yahoo]\nhttp = \"http://127.0.0.1:{}\"\n", server.port);
    fs::write(home.path().join("providers.toml"), own).unwrap();
    let id_of = |text: &str| serde_json::from_str::<serde_json::Value>(text.trim()).unwrap()["id"].as_u64();
    for (args, words) in [
        (&["watch", "list"][..], "BTCUSD"),
        (&["watch", "search", "solana"], "new: pmax watch add"),
        (&["watch", "search", "btc", "--offline"], "watched"),
        (&["watch", "add", "AAPL"], "AAPL is watched"),
        (&["watch", "add", "SOL-USD"], "SOLUSD is watched"),
        (&["watch", "remove", "IBM"], "not watched any more"),
        (&["watch", "group", "SOLUSD", "coins"], "group coins: SOLUSD"),
    ] {
        let (code, text) = said(args, home.path());
        assert!(code == Some(0) && text.contains(words), "{args:?}: {text}");
    }
    assert_eq!(asked.lock().unwrap().len(), 2, "one for the search and one for what was not known");
    let kept = fs::read_to_string(home.path().join("requests.json")).unwrap();
    assert!(kept.contains("search"), "each was counted: {kept}");
    let (_, text) = said(&["watch", "list", "--format", "json"], home.path());
    let rows: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    let watched: Vec<&str> =
        rows.iter().filter(|row| row["watched"] == true).map(|row| row["symbol"].as_str().unwrap()).collect();
    assert_eq!(watched, ["BTCUSD", "AAPL", "SOLUSD"]);
    let ether = ["watch", "add", "ETHUSD", "--provider-name", "yahoo=ETH-USD", "--kind", "crypto", "--format", "json"];
    assert_eq!(id_of(&said(&ether, home.path()).1), Some(502));
    assert_eq!(said(&["watch", "remove", "ETHUSD"], home.path()).0, Some(0));
    assert_eq!(id_of(&said(&ether, home.path()).1), Some(503), "a retired number stays retired");
}

#[test]
fn what_cannot_be_is_refused_in_a_sentence() {
    let home = home();
    for (args, words) in [
        (&["watch", "add", "AAPL"][..], "AAPL is watched already"),
        (&["watch", "remove", "DOGE"], "«DOGE» is not watched"),
        (&["watch", "add", "BTC", "--provider-name", "yahoo=BTC-USD", "--kind", "share"], "it is the same instrument"),
        (&["watch", "add", "BTC-USD"], "Yahoo calls BTCUSD so"),
        (&["watch", "add", "X", "--provider-name", "yahoo=X"], "--kind"),
        (&["watch", "add", "a b", "--provider-name", "yahoo=X", "--kind", "share"], "is not a symbol"),
        (&["watch", "add", "X", "--provider-name", "yahoo=a b", "--kind", "share"], "visible characters"),
        (&["watch", "add", "X", "--provider-name", "bloomberg=X", "--kind", "share"], "is no provider"),
        (&["watch", "group", "AAPL", "a b"], "a group's name"),
        (&["watch", "group", "DOGE", "dogs"], "no instrument «DOGE»"),
    ] {
        let (code, text) = said(args, home.path());
        assert!(code != Some(0) && text.contains(words), "{args:?}: {text}");
    }
    fs::write(home.path().join("instruments.toml"), "\n[[instrument]]\nid = 12\n").unwrap();
    let (code, text) = said(&["watch", "list"], home.path());
    assert!(code == Some(1) && text.contains("instruments.toml, line 2"), "{text}");
    assert!(!home.path().join("requests.json").exists(), "nobody was asked");
    let change = WatchChange::Remove("IBM".to_owned());
    let shelf = Shelf::beside(&home.path().join("nowhere/pmax.toml"), BrokerKind::Paper);
    let refused = shelf.change(&shelf.load().unwrap(), &change).unwrap_err();
    assert!(refused.to_string().contains("cannot be written"), "{refused}");
}

/// Yahoo with minutes of anything, and a search.
fn yahoo() -> Server {
    http(|path| {
        if path.starts_with("/v1/finance/search") {
            return say(200, FOUND);
        }
        let minute = wall_now().0 / 60_000_000_000 * 60;
        let times: Vec<String> = (0..90).rev().map(|back| (minute - back * 60).to_string()).collect();
        let prices = vec!["150.25"; times.len()].join(",");
        let name = path.trim_start_matches("/v8/finance/chart/").split('?').next().unwrap_or_default();
        say(
            200,
            format!(
                r#"{{"chart":{{"result":[{{"meta":{{"currency":"USD","symbol":"{name}","priceHint":4,"regularMarketPrice":150.25,
                "regularMarketTime":{},"dataGranularity":"1m"}},"timestamp":[{}],"indicators":{{"quote":[{{"open":[{prices}],"high":[{prices}],
                "low":[{prices}],"close":[{prices}],"volume":[{prices}]}}]}}}}],"error":null}}}}"#,
                wall_now().0 / 1_000_000_000,
                times.join(",")
            ),
        )
    })
}

#[test]
fn an_instrument_that_was_added_on_the_screen_is_there_after_a_kill_and_in_the_replay() {
    let (home, venues, yahoo) = (home(), venues(), yahoo());
    let order = "[\"kraken\", \"coinbase\", \"yahoo\"]";
    let table = leading_to(&venues).replace("[\"kraken\", \"coinbase\"]", order);
    let own = format!("watch = [\"BTCUSD\"]\n{table}[provider.yahoo]\nhttp = \"http://127.0.0.1:{}\"\n", yahoo.port);
    fs::write(home.path().join("providers.toml"), own).unwrap();
    let launch = || Launch::new(&["--feed", "live"]).env("PMAX_HOME", home.path().display().to_string()).size(120, 40);
    let mut terminal = open_as(launch());
    terminal.wait_text("91,005.00");
    terminal.send("w");
    terminal.wait_text("1 instrument watched");
    terminal.send("solana");
    terminal.wait_text("Yahoo found 4");
    terminal.key(Key::Enter);
    terminal.wait_text("y writes it into instruments.toml");
    terminal.send("y");
    terminal.wait_text("SOLUSD is watched");
    terminal.key(Key::Esc);
    terminal.wait_text("150.25");
    terminal.kill9();
    assert_eq!(terminal.wait_exit(), 137);
    let mut terminal = Terminal::spawn(launch());
    terminal.wait_for("the panes", |screen| screen.contains("1 Quotes") || screen.contains(NOTICE));
    if terminal.contains(NOTICE) {
        terminal.key(Key::Esc);
    }
    terminal.wait_for("both with prices", |screen| screen.contains("91,005.00") && screen.contains("150.25"));
    terminal.send(":watch remove SOLUSD\r");
    terminal.wait_text("SOLUSD is not watched any more");
    terminal.wait_gone("150.25");
    quit(&mut terminal);
    let output = run(&["replay", "1"], &[], home.path());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let output = run(&["status"], &[], home.path());
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("run-1") && !said.contains("run-2"), "the account goes on: {said}");
}
