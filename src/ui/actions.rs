//! The action registry: names, titles, keys. Dispatch, hints, palette, help and the documentation all read this one table.

/// Where keys of an action are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// Trading.
    Trade,
    /// The tape.
    Tape,
    /// Looking around.
    View,
    /// The program.
    Program,
}

/// One action as the table states it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActionInfo {
    /// The action.
    pub id: ActionId,
    /// Its name, as used in `[keys]` and after `:`.
    pub name: &'static str,
    /// What it does.
    pub title: &'static str,
    /// Default keys.
    pub keys: &'static [&'static str],
    /// Where it is listed.
    pub section: Section,
}

macro_rules! actions {
    ($($id:ident, $name:literal, $section:ident, [$($key:literal),*], $title:literal;)*) => {
        /// Everything a key, the palette or the command line can do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ActionId {
            $(#[doc = $title] $id,)*
        }

        /// The table.
        pub const ACTIONS: &[ActionInfo] = &[
            $(ActionInfo { id: ActionId::$id, name: $name, title: $title, keys: &[$($key),*], section: Section::$section },)*
        ];
    };
}

actions! {
    Kill, "kill", Trade, ["f12", "ctrl-x"], "kill switch: press twice within 3 s to halt and cancel";
    ArmPaper, "arm", Trade, ["p"], "arm paper (or demo) trading, or go back to read-only";
    Open, "open", Trade, ["enter"], "open what is selected: chart, proposal, order";
    Buy, "buy", Trade, ["b"], "write a buy ticket for the selected instrument";
    Sell, "sell", Trade, ["s"], "write a sell ticket for the selected instrument";
    Close, "close", Trade, ["x"], "under Positions (4): close the selected position, cancel the selected order";
    Modify, "modify", Trade, ["m"], "under Positions (4): change the selected order, or the exits of the position";
    Decline, "decline", Trade, ["d"], "decline the selected proposal";
    NextProposal, "proposal", Trade, ["n"], "preview the oldest waiting proposal";
    Flatten, "flatten", Trade, ["shift-f"], "after the kill switch: close every position";
    Rearm, "rearm", Trade, ["shift-r"], "re-arm trading in two steps";
    StageUp, "stageup", Trade, [], "take the step to the next stage of the account, in two steps";
    Reset, "reset", Trade, [], "begin the paper account anew (`reset 50000` sets the capital)";
    Pause, "pause", Tape, ["space"], "pause the tape, or go on";
    Step, "step", Tape, ["."], "one event of the tape";
    StepBar, "bar", Tape, [","], "on to the next closed bar";
    Faster, "faster", Tape, ["+", "]"], "faster";
    Slower, "slower", Tape, ["-", "["], "slower";
    Jump, "jump", Tape, ["shift-j"], "run ahead to a date (`jump 2020-03-16`)";
    Pane1, "quotes", View, ["1"], "quotes";
    Pane2, "commentary", View, ["2"], "commentary";
    Pane3, "signals", View, ["3"], "signals and proposals";
    Pane4, "positions", View, ["4"], "positions and orders";
    Pane5, "risk", View, ["5"], "risk gauges";
    Pane6, "alerts", View, ["6"], "alerts";
    Equity, "equity", View, ["e"], "equity curve and results by day";
    Activity, "log", View, ["l"], "activity log";
    Broker, "broker", View, ["shift-b"], "the broker: link, account, what is held back and why";
    Feed, "feed", View, ["shift-p"], "providers: who serves what and why, and what is left";
    Economy, "economy", View, ["shift-e"], "economic series as of their releases, and what comes next";
    News, "news", View, ["shift-n"], "headlines, what they are about, and their mood";
    Target, "target", View, ["shift-t"], "target allocation beside the book: information, not an order";
    Scores, "scores", View, ["shift-s"], "scorecards of the signals: right, after cost, chances";
    Gates, "gates", View, ["shift-g"], "gates and stages: what the record of this account may do";
    Model, "model", View, ["shift-m"], "language model: who answers, how fast, what was left unanswered";
    NextPane, "next", View, ["tab"], "next pane";
    PreviousPane, "previous", View, ["backtab"], "previous pane";
    Up, "up", View, ["up", "k"], "up";
    Down, "down", View, ["down", "j"], "down";
    PageUp, "pageup", View, ["pageup"], "a page up";
    PageDown, "pagedown", View, ["pagedown"], "a page down";
    Back, "back", View, ["esc"], "back out one level";
    Zoom, "zoom", View, ["z"], "zoom the focused pane";
    Sort, "sort", View, ["o"], "sort quotes: by list, symbol, change";
    Group, "group", View, ["g"], "next group of quotes; of scorecards";
    Filter, "filter", View, ["/"], "filter quotes";
    Timeframe, "timeframe", View, ["t"], "timeframe of the chart";
    Freeze, "freeze", View, ["f"], "freeze the picture; positions, orders, risk and status go on";
    Watch, "watch", View, ["w"], "watchlist: look for instruments by name, add, remove, move, group";
    Acknowledge, "ack", View, ["a"], "mark the selected alert as seen";
    AcknowledgeAll, "ackall", View, ["shift-a"], "mark all alerts as seen";
    Palette, "palette", Program, ["ctrl-k", "f2"], "find an action by name";
    Reconnect, "reconnect", Program, [], "connect to the broker now, also after a refused login";
    CommandLine, "command", Program, [":"], "command line";
    Help, "help", Program, ["?", "f1"], "help; type to filter, arrows and page keys scroll";
    Colours, "colours", Program, ["shift-c"], "next palette";
    Quit, "quit", Program, ["q", "ctrl-c"], "quit";
}

impl ActionId {
    /// Its row of the table.
    pub fn info(self) -> &'static ActionInfo {
        ACTIONS.iter().find(|info| info.id == self).unwrap_or(&FALLBACK)
    }
}

/// Never reached: every action has a row, which a test checks.
const FALLBACK: ActionInfo =
    ActionInfo { id: ActionId::Help, name: "help", title: "help", keys: &["?"], section: Section::Program };

impl Section {
    /// Its heading in the help.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Trade => "Trading",
            Self::Tape => "Tape",
            Self::View => "Looking around",
            Self::Program => "Program",
        }
    }

    /// All sections in the order of the help.
    pub const ALL: [Self; 4] = [Self::Trade, Self::Tape, Self::View, Self::Program];
}
