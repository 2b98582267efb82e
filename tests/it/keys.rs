//! Keys act where their object is in sight, and nowhere else.

use crossterm::event::KeyCode;
use pmax::runtime::Palette;
use pmax::ui::{Effect, Overlay, Pane, View};

use crate::stage::{Stage, lived};

#[test]
fn closing_and_changing_act_under_positions_only() {
    for key in ['x', 'm'] {
        for elsewhere in ["1", "2", "3", "5", "6", "e", "l", "B", "T"] {
            let mut stage = Stage::new(lived(), (120, 40), Palette::GreenRed);
            stage.keys(elsewhere);
            stage.keys(&key.to_string());
            assert!(stage.state.overlays.is_empty(), "{key} after {elsewhere}\n{}", stage.text());
            assert!(stage.text().contains("under Positions: go there first (4)"), "{}", stage.text());
        }
        // The chart of what is held shows no row either, even when it was opened from there.
        let mut stage = Stage::new(lived(), (120, 40), Palette::GreenRed);
        stage.keys("4");
        stage.press(KeyCode::Enter);
        assert!(matches!(stage.state.view, View::Detail(_)));
        stage.keys(&key.to_string());
        assert!(stage.state.overlays.is_empty(), "{key} in the chart\n{}", stage.text());
        stage.keys("4");
        stage.keys(&key.to_string());
        assert!(matches!(stage.state.overlays.last(), Some(Overlay::Preview(_) | Overlay::Ticket { .. })), "{}", stage.text());
    }
}

#[test]
fn help_scrolls_to_its_last_line_at_every_size_and_still_filters() {
    for size in [(80, 24), (100, 30), (120, 40), (160, 45)] {
        let mut stage = Stage::new(lived(), size, Palette::GreenRed);
        stage.keys("?");
        assert!(stage.text().contains("kill switch: press twice"), "{}", stage.text());
        assert!(!stage.text().contains("No advice") && stage.text().contains("more lines"), "{size:?}\n{}", stage.text());
        for _ in 0..90 {
            stage.press(KeyCode::Down);
        }
        let end = stage.text();
        assert!(end.contains("No advice") && end.contains("lines above"), "{size:?}\n{end}");
        assert!(!end.contains("press twice within"), "{size:?}\n{end}");
        stage.press(KeyCode::PageDown);
        // The status line ages meanwhile.
        let below_status = |text: &str| text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(below_status(&stage.text()), below_status(&end), "there is nothing below the end");
        for _ in 0..8 {
            stage.press(KeyCode::PageUp);
        }
        assert!(stage.text().contains("kill switch: press twice"), "{}", stage.text());
        stage.press(KeyCode::PageDown);
        stage.keys("re-arm");
        let found = stage.text();
        assert!(found.contains("re-arm trading in two steps") && !found.contains("more lines"), "{size:?}\n{found}");
        stage.press(KeyCode::Esc);
        assert!(stage.state.overlays.is_empty());
    }
}

#[test]
fn the_first_key_is_not_lost_in_the_notice_unless_it_leads_to_a_trade() {
    let at_notice = || {
        let mut stage = Stage::new(lived(), (120, 40), Palette::GreenRed);
        stage.state.overlays.push(Overlay::Notice);
        stage
    };
    let mut stage = at_notice();
    stage.keys("4");
    assert!(stage.state.overlays.is_empty());
    assert_eq!(stage.state.focus, Pane::Positions);
    let mut stage = at_notice();
    stage.keys("?");
    assert!(matches!(stage.state.overlays.as_slice(), [Overlay::Help { .. }]));
    let mut stage = at_notice();
    assert!(stage.press(KeyCode::Char(' ')).iter().any(|effect| matches!(effect, Effect::Tape(_))));
    for key in ['p', 'b', 's', 'n', 'd', 'x', 'm', 'F', 'R'] {
        let mut stage = at_notice();
        stage.keys("4");
        stage.state.overlays.push(Overlay::Notice);
        let effects = stage.press(KeyCode::Char(key));
        assert!(stage.state.overlays.is_empty(), "{key} closes the notice");
        assert!(!effects.iter().any(|effect| matches!(effect, Effect::Ask(..))), "{key} must not act through the notice");
        assert!(stage.text().contains("press the key again"), "{}", stage.text());
    }
    for code in [KeyCode::Enter, KeyCode::Esc] {
        let mut stage = at_notice();
        stage.press(code);
        assert!(stage.state.overlays.is_empty() && stage.state.view == View::Panes, "{code:?} only closes it");
    }
}
