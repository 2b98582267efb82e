//! Everything the screen remembers between two keys.

use std::collections::BTreeMap;
use std::sync::Arc;

use tui_input::Input;

use crate::backtest::Gauged;
use crate::domain::{InstrumentId, InstrumentTable, OrderId, TimeFrame, WallTime};
use crate::engine::{Counts, Snapshot};
use crate::portfolio::DayResult;
use crate::runtime::{Allocated, Draft, Frame, Known, Palette, Scored};
use crate::signals::By;
use crate::ui::intent::Preview;
use crate::ui::keys::Keymap;
use crate::ui::rows::RowKey;
use crate::ui::ticket::Form;

/// The six panes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Pane {
    /// Prices.
    #[default]
    Quotes,
    /// The analyst.
    Commentary,
    /// Signals and proposals.
    Signals,
    /// Positions and orders.
    Positions,
    /// Gauges.
    Risk,
    /// Alerts.
    Alerts,
}

/// What fills the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum View {
    /// The panes.
    #[default]
    Panes,
    /// One instrument with its chart.
    Detail(InstrumentId),
    /// The equity curve.
    Equity,
    /// The activity log.
    Activity,
    /// The broker.
    Broker,
    /// The providers of live prices.
    Feed,
    /// Economic series.
    Economy,
    /// Headlines.
    News,
    /// The target allocation.
    Allocation,
    /// The signals' scorecards.
    Scores,
    /// Gates and stages.
    Gates,
    /// The language model.
    Model,
}

/// What one candle of the detail chart stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Timeframe {
    /// One bar of the tape or feed.
    #[default]
    Own,
    /// All bars of a longer frame; where a series has none so short, its own bars are shown.
    Of(TimeFrame),
}

/// The order of quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    /// As listed.
    #[default]
    Listed,
    /// By symbol.
    Symbol,
    /// By change, taken when the key is pressed; rows stay where they are after that.
    Change,
}

/// What lies over the body and gets keys first.
#[derive(Debug, Clone)]
pub enum Overlay {
    /// Help with a filter.
    Help {
        /// The filter.
        filter: Input,
        /// The first line shown.
        row: usize,
    },
    /// The palette.
    Palette {
        /// What is typed.
        input: Input,
        /// The chosen row.
        selected: usize,
    },
    /// The command line.
    Command {
        /// What is typed.
        input: Input,
    },
    /// The quotes filter.
    Filter {
        /// What is typed.
        input: Input,
    },
    /// The order form.
    Ticket {
        /// The form.
        form: Box<Form>,
        /// What cannot be read.
        problem: Option<String>,
    },
    /// A preview.
    Preview(Preview),
    /// The second step of re-arming: the word is typed.
    Rearm {
        /// What is typed.
        input: Input,
        /// Number of the request it belongs to; a refusal of that closes it.
        asked: u64,
    },
    /// The second step to the next stage: the word is typed.
    StageUp {
        /// What is typed.
        input: Input,
        /// Number of the request it belongs to; a refusal of that closes it.
        asked: u64,
    },
    /// The watchlist.
    Watch(Box<WatchForm>),
    /// An order's whole history.
    History(OrderId),
    /// The notice at the first start.
    Notice,
}

/// A short message over the hints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toast {
    /// The text.
    pub text: String,
    /// When it came.
    pub since: WallTime,
    /// When it goes.
    pub until: WallTime,
    /// Whether it tells of something refused.
    pub is_warning: bool,
}

/// The target allocation the screen knows.
#[derive(Debug, Clone, Default)]
pub struct TargetShown {
    /// Since when a new one is being computed.
    pub asked: Option<WallTime>,
    /// The latest one.
    pub latest: Option<Arc<Allocated>>,
    /// The first row shown.
    pub row: usize,
}

/// The scorecards the screen knows.
#[derive(Debug, Clone)]
pub struct ScoresShown {
    /// Since when new ones are being read.
    pub asked: Option<WallTime>,
    /// The latest ones.
    pub latest: Option<Arc<Scored>>,
    /// What they are shown by.
    pub by: By,
    /// The row under the cursor.
    pub row: usize,
}

impl Default for ScoresShown {
    fn default() -> Self {
        Self { asked: None, latest: None, by: By::Source, row: 0 }
    }
}

/// The account's record against the plan's gates, as of the last risk day that has ended.
#[derive(Debug, Clone, Default)]
pub struct RecordShown {
    /// The days and counts it was made of.
    pub of: Option<(Vec<DayResult>, Counts)>,
    /// Each gate that is not about calls.
    pub gauged: Vec<Gauged>,
}

/// What is typed and chosen in the watchlist's window.
#[derive(Debug, Clone, Default)]
pub struct WatchForm {
    /// Words to look for; the list itself while there are none.
    pub input: Input,
    /// The chosen row.
    pub selected: usize,
    /// A new instrument that waits for a yes.
    pub draft: Option<Draft>,
    /// The name of a group for the chosen one, while it is typed.
    pub grouping: Option<Input>,
}

/// The watchlist the screen knows.
#[derive(Debug, Clone, Default)]
pub struct WatchShown {
    /// Everything known of what may be watched; nothing where nobody keeps it.
    pub known: Option<Arc<Known>>,
    /// An instrument that the engine was asked to let go, under this number: it leaves the list once it has.
    pub leaving: Option<(u64, String)>,
    /// Whether a change is being written.
    pub is_writing: bool,
}

/// Things that seldom change while the program runs: instruments, where a person adds one.
#[derive(Debug, Clone)]
pub struct Context {
    /// Instruments.
    pub instruments: Arc<InstrumentTable>,
    /// Keys.
    pub keymap: Arc<Keymap>,
    /// Groups of the configuration.
    pub groups: BTreeMap<String, Vec<String>>,
}

/// The state.
#[derive(Debug, Clone)]
pub struct UiState {
    /// What fills the body.
    pub view: View,
    /// The focused pane.
    pub focus: Pane,
    /// Whether it fills the body.
    pub is_zoomed: bool,
    /// Overlays, the last one on top.
    pub overlays: Vec<Overlay>,
    /// The selected instrument: the selection follows the symbol, not the row.
    pub instrument: Option<InstrumentId>,
    /// Selected row by pane other than quotes.
    pub rows: BTreeMap<Pane, usize>,
    /// What the cursor of a pane follows; nothing while it stays on the top row.
    pub anchors: BTreeMap<Pane, RowKey>,
    /// What was under the cursor of a pane in the last picture; keys act on this and on nothing else.
    pub under_cursor: BTreeMap<Pane, RowKey>,
    /// Number of the last thing asked of the engine.
    pub asked: u64,
    /// Number of the last answer taken.
    pub answered: u64,
    /// Scroll of the activity view.
    pub activity_row: usize,
    /// The first headline shown.
    pub news_row: usize,
    /// The first abstention of a model shown.
    pub model_row: usize,
    /// The target allocation.
    pub target: TargetShown,
    /// The signals' scorecards.
    pub scores: ScoresShown,
    /// The account against the plan's gates.
    pub record: RecordShown,
    /// The watchlist.
    pub watch: WatchShown,
    /// Order of quotes.
    pub sort: Sort,
    /// The order fixed when sorting by change.
    pub fixed_order: Vec<InstrumentId>,
    /// The group shown, empty for all.
    pub group: String,
    /// Groups a person made on the screen.
    pub own_groups: BTreeMap<String, Vec<String>>,
    /// The quotes filter.
    pub filter: String,
    /// Timeframe of the chart.
    pub timeframe: Timeframe,
    /// The picture that is frozen, if any.
    pub frozen: Option<Arc<Frame>>,
    /// The first press of the kill switch.
    pub kill_armed: Option<WallTime>,
    /// A short message.
    pub toast: Option<Toast>,
    /// The newest activity line that was shown as a toast.
    pub last_activity: u64,
    /// The palette.
    pub palette: Palette,
    /// Command history, newest last.
    pub history: Vec<String>,
}

impl Default for UiState {
    fn default() -> Self {
        Self {
            view: View::Panes,
            focus: Pane::Quotes,
            is_zoomed: false,
            overlays: Vec::new(),
            instrument: None,
            rows: BTreeMap::new(),
            anchors: BTreeMap::new(),
            under_cursor: BTreeMap::new(),
            asked: 0,
            answered: 0,
            activity_row: 0,
            news_row: 0,
            model_row: 0,
            target: TargetShown::default(),
            scores: ScoresShown::default(),
            record: RecordShown::default(),
            watch: WatchShown::default(),
            sort: Sort::Listed,
            fixed_order: Vec::new(),
            group: String::new(),
            own_groups: BTreeMap::new(),
            filter: String::new(),
            timeframe: Timeframe::Own,
            frozen: None,
            kill_armed: None,
            toast: None,
            last_activity: 0,
            palette: Palette::default(),
            history: Vec::new(),
        }
    }
}

impl Pane {
    /// All panes by number.
    pub const ALL: [Self; 6] = [Self::Quotes, Self::Commentary, Self::Signals, Self::Positions, Self::Risk, Self::Alerts];

    /// Its title.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Quotes => "1 Quotes",
            Self::Commentary => "2 Commentary",
            Self::Signals => "3 Signals",
            Self::Positions => "4 Positions & orders",
            Self::Risk => "5 Risk",
            Self::Alerts => "6 Alerts",
        }
    }

    /// The pane after it.
    pub fn next(self) -> Self {
        let index = Self::ALL.iter().position(|pane| *pane == self).unwrap_or(0);
        Self::ALL.into_iter().cycle().nth(index + 1).unwrap_or(self)
    }

    /// The pane before it.
    pub fn previous(self) -> Self {
        let index = Self::ALL.iter().position(|pane| *pane == self).unwrap_or(0);
        Self::ALL.into_iter().cycle().nth(index + 5).unwrap_or(self)
    }
}

impl Timeframe {
    /// The frame to make of bars of this one; nothing where they are shown as they are.
    pub fn over(self, own: TimeFrame) -> Option<TimeFrame> {
        match self {
            Self::Of(frame) if frame > own => Some(frame),
            Self::Own | Self::Of(_) => None,
        }
    }

    /// The next longer one over bars of this frame, and after the longest the bars themselves.
    #[must_use]
    pub fn next(self, own: TimeFrame) -> Self {
        let shown = self.over(own).unwrap_or(own);
        TimeFrame::CHARTED.into_iter().find(|frame| *frame > shown).map_or(Self::Own, Self::Of)
    }
}

impl UiState {
    /// The quotes in the order and selection shown.
    pub fn visible_quotes(&self, snapshot: &Snapshot, context: &Context) -> Vec<InstrumentId> {
        let members = self.group_members(context);
        let matches = |id: &InstrumentId| {
            let Some(known) = context.instruments.get(*id) else { return self.filter.is_empty() };
            let wanted = self.filter.to_lowercase();
            let named = known.symbol.to_lowercase().contains(&wanted) || known.name.to_lowercase().contains(&wanted);
            let grouped =
                members.as_ref().is_none_or(|members| members.iter().any(|symbol| symbol.eq_ignore_ascii_case(&known.symbol)));
            named && grouped
        };
        let mut shown: Vec<InstrumentId> = snapshot.quotes.iter().map(|row| row.instrument).filter(matches).collect();
        match self.sort {
            Sort::Listed => {
                let place =
                    |id: &InstrumentId| self.watch.known.as_ref().and_then(|known| known.place(*id)).unwrap_or(usize::MAX);
                shown.sort_by_key(place);
            }
            Sort::Symbol => shown.sort_by_key(|id| context.instruments.symbol(*id)),
            Sort::Change => shown.sort_by_key(|id| self.fixed_order.iter().position(|other| other == id).unwrap_or(usize::MAX)),
        }
        shown
    }

    /// Names of all groups, configured and made on the screen.
    pub fn group_names(&self, context: &Context) -> Vec<String> {
        let mut names: Vec<String> = context.groups.keys().chain(self.own_groups.keys()).cloned().collect();
        names.sort();
        names.dedup();
        names
    }

    fn group_members(&self, context: &Context) -> Option<Vec<String>> {
        if self.group.is_empty() {
            return None;
        }
        Some(self.own_groups.get(&self.group).or_else(|| context.groups.get(&self.group)).cloned().unwrap_or_default())
    }

    /// The selected instrument among those shown: the remembered one, else the first.
    pub fn selected_instrument(&self, snapshot: &Snapshot, context: &Context) -> Option<InstrumentId> {
        let shown = self.visible_quotes(snapshot, context);
        self.instrument.filter(|id| shown.contains(id)).or_else(|| shown.first().copied())
    }

    /// The instrument a person looks at.
    pub fn in_focus(&self, snapshot: &Snapshot, context: &Context) -> Option<InstrumentId> {
        match self.view {
            View::Detail(instrument) => Some(instrument),
            _ => self.selected_instrument(snapshot, context),
        }
    }

    /// The selected row of a pane.
    pub fn row(&self, pane: Pane) -> usize {
        self.rows.get(&pane).copied().unwrap_or(0)
    }

    /// The preview on top, if one is open.
    pub fn preview(&self) -> Option<&Preview> {
        match self.overlays.last() {
            Some(Overlay::Preview(preview)) => Some(preview),
            _ => None,
        }
    }
}
