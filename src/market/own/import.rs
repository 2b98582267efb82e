//! From a file to bars: columns are recognised, rows read, and each series is placed on its calendar and looked through.

use std::collections::BTreeMap;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

use crate::domain::{Bar, Instrument, InstrumentId, InstrumentTable, MarketTime, TimeFrame};
use crate::market::own::moments::{self, DateOrder, Moment, Orders};
use crate::market::own::problems::{Problems, clean};
use crate::market::own::roles::Roles;
use crate::market::own::series::RawSeries;
use crate::market::own::sheet::{Cell, Sheet, SheetError};

/// Series of one file.
const MOST_SERIES: usize = 500;

/// What a person says about a file.
#[derive(Debug, Clone)]
pub struct Asked<'a> {
    /// The instruments there are.
    pub instruments: &'a InstrumentTable,
    /// The instrument of a file with one series.
    pub symbol: Option<String>,
    /// Instruments of what the file calls otherwise.
    pub names: BTreeMap<String, String>,
    /// The zone of times that say none.
    pub zone: Option<TimeZone>,
    /// Length of the bars; of ticks, that of the bars to be built.
    pub frame: Option<TimeFrame>,
    /// What comes first in dates like `03/04/2020`.
    pub order: Option<DateOrder>,
    /// The prices are adjusted for splits or dividends.
    pub is_adjusted: bool,
    /// Rows without a price are left out.
    pub skips_missing: bool,
    /// Rows outside trading hours are left out.
    pub skips_closed: bool,
}

/// What a file gave.
#[derive(Debug, Clone, Default)]
pub struct Imported {
    /// How it was read, in phrases.
    pub read_as: Vec<String>,
    /// Rows that were read.
    pub rows: usize,
    /// Its series.
    pub series: Vec<ImportedSeries>,
    /// What is wrong; with a fault there is no tape.
    pub faults: Problems,
    /// What is odd, and taken as it stands.
    pub doubts: Problems,
    /// Rows that were left out as asked: without a price, and outside trading hours.
    pub left_out: (u64, u64),
}

/// One series.
#[derive(Debug, Clone)]
pub struct ImportedSeries {
    /// Which instrument.
    pub instrument: InstrumentId,
    /// Its symbol.
    pub symbol: String,
    /// The length of its bars.
    pub frame: TimeFrame,
    /// Its bars, oldest first.
    pub bars: Vec<Bar>,
    /// Whether open, high and low are real.
    pub has_range: bool,
    /// Whether volume is told.
    pub has_volume: bool,
    /// What was done to it.
    pub note: String,
}

/// A row as it was read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Raw {
    pub row: usize,
    /// The instant; nothing where a date stands alone.
    pub at: Option<MarketTime>,
    /// The date as it was written, where it was.
    pub date: Option<Date>,
    /// Open, high, low, close in units of 1e-9.
    pub prices: [i64; 4],
    /// In thousandths.
    pub volume: Option<i64>,
}

/// Reads a file. `Err` where it is none that could be looked through row by row.
pub fn import(bytes: Vec<u8>, asked: &Asked<'_>) -> Result<Imported, SheetError> {
    let sheet = Sheet::of(bytes)?;
    let (roles, read_as) = roles(&sheet)?;
    let titles = Titles::of(&sheet, &roles);
    let mut reader = Reader {
        asked,
        roles: &roles,
        titles: &titles,
        order: asked.order,
        has_commas: sheet.may_have_commas() && has_commas(&sheet, &roles)?,
        known: BTreeMap::new(),
        series: Vec::new(),
        imported: Imported { read_as, ..Imported::default() },
        is_zoneless: false,
    };
    if reader.order.is_none() {
        reader.order = shown_order(&sheet, &roles)?;
    }
    if roles.adjusted.is_some() && !asked.is_adjusted {
        reader.imported.read_as.push("its adjusted closes are not used; --adjusted scales to them".to_owned());
    }
    if reader.has_commas {
        reader.imported.read_as.push("decimal commas".to_owned());
    }
    let rows = sheet.each_row(|row, cells| reader.take(row, cells))?;
    reader.imported.rows = rows;
    if reader.is_zoneless {
        return Err(SheetError::Layout {
            what: "its times say no zone".to_owned(),
            todo: "Say which: --timezone UTC, --timezone America/New_York, …".to_owned(),
        });
    }
    reader.finish()
}

/// Which columns are what, and the same in words.
fn roles(sheet: &Sheet) -> Result<(Roles, Vec<String>), SheetError> {
    let mut words = vec![sheet.words()];
    let roles = match sheet.titles() {
        Ok(titles) => Roles::by_titles(titles),
        Err(width) => {
            let roles = Roles::by_place(width).ok_or_else(|| SheetError::Layout {
                what: format!("it has no header, and {width} columns are no layout that is known"),
                todo: "Give it a header such as: time,open,high,low,close,volume".to_owned(),
            })?;
            words.push(format!("columns taken for {}", roles.words()));
            roles
        }
    };
    let missing = |what: &str| {
        let found = sheet
            .titles()
            .map_or_else(|_| String::new(), |titles| titles.iter().map(|title| clean(title)).collect::<Vec<_>>().join(", "));
        SheetError::Layout {
            what: format!("it has no column that is known as {what}; there are: {found}"),
            todo: "Call the columns time, open, high, low, close, volume and, for several series, symbol".to_owned(),
        }
    };
    if roles.time.is_none() {
        return Err(missing("a time"));
    }
    if roles.close.is_none() {
        return Err(missing("a close or a price"));
    }
    let parts = [roles.open, roles.high, roles.low].into_iter().flatten().count();
    if parts != 0 && parts != 3 {
        return Err(missing("each of open, high and low"));
    }
    if !roles.ignored.is_empty() {
        let named: Vec<String> = roles.ignored.iter().take(8).map(|title| clean(title)).collect();
        words.push(format!("ignored: {}", named.join(", ")));
    }
    Ok((roles, words))
}

/// Whether prices are written with a comma for their point.
fn has_commas(sheet: &Sheet, roles: &Roles) -> Result<bool, SheetError> {
    let (mut commas, mut points) = (0_usize, 0_usize);
    sheet.each_row(|_, cells| {
        if let Some(Cell::Text(text)) = roles.close.and_then(|place| cells.get(place)) {
            commas += usize::from(text.contains(','));
            points += usize::from(text.contains('.'));
        }
    })?;
    Ok(commas > 0 && points == 0)
}

/// What comes first in dates of the file.
fn shown_order(sheet: &Sheet, roles: &Roles) -> Result<Option<DateOrder>, SheetError> {
    let mut orders = Orders::default();
    sheet.each_row(|_, cells| {
        if let Some(cell) = roles.time.and_then(|place| cells.get(place)) {
            orders.see(*cell);
        }
    })?;
    let order = orders.shown();
    if orders.has_slashes && order.is_none() {
        return Err(SheetError::Layout {
            what: "its dates do not show whether the day or the month comes first".to_owned(),
            todo: "Say which: --dates dmy or --dates mdy".to_owned(),
        });
    }
    Ok(order)
}

/// Names of the columns, for what is said about their cells.
pub(super) struct Titles {
    width: Option<usize>,
    time: String,
    symbol: String,
    prices: [String; 4],
    volume: String,
}

impl Titles {
    fn of(sheet: &Sheet, roles: &Roles) -> Self {
        let titles = sheet.titles();
        let name = |place: Option<usize>, usual: &str| {
            let title = place.and_then(|place| titles.as_ref().ok()?.get(place));
            title.filter(|title| !title.is_empty()).map_or_else(|| usual.to_owned(), |title| clean(title))
        };
        Self {
            width: titles.as_ref().map_or_else(|width| Some(*width), |titles| Some(titles.len())),
            time: name(roles.time, "time"),
            symbol: name(roles.symbol, "symbol"),
            prices: [name(roles.open, "open"), name(roles.high, "high"), name(roles.low, "low"), name(roles.close, "close")],
            volume: name(roles.volume, "volume"),
        }
    }
}

struct Reader<'a> {
    asked: &'a Asked<'a>,
    roles: &'a Roles,
    titles: &'a Titles,
    order: Option<DateOrder>,
    has_commas: bool,
    /// What the file calls a series, and its place among the series; nothing where no instrument is meant.
    known: BTreeMap<String, Option<usize>>,
    series: Vec<RawSeries<'a>>,
    imported: Imported,
    is_zoneless: bool,
}

impl Reader<'_> {
    fn take(&mut self, row: usize, cells: &[Cell<'_>]) {
        let cell = |place: Option<usize>| place.and_then(|place| cells.get(place)).copied().unwrap_or(Cell::Missing);
        if self.titles.width.is_some_and(|width| cells.len() != width) {
            let what = format!("{} fields where the first row has {}", cells.len(), self.titles.width.unwrap_or(0));
            return self.imported.faults.add(row, "", what);
        }
        let Some(place) = self.series_of(row, cell(self.roles.symbol)) else { return };
        let time = cell(self.roles.time);
        let Some(moment) = moments::read(time, self.roles.clock.map(|place| cell(Some(place))), self.order) else {
            let what = format!(
                "«{}» is no date or time that is known; write 2020-03-16, 2020-03-16T15:30:00Z or seconds since 1970",
                shown(time)
            );
            return self.imported.faults.add(row, &self.titles.time, what);
        };
        let Some((at, date)) = self.placed(row, place, moment) else { return };
        let Some((prices, volume)) = self.numbers(row, cells) else { return };
        if let Some(series) = self.series.get_mut(place) {
            series.rows.push(Raw { row, at, date, prices, volume });
        }
    }

    /// The series a row is of.
    fn series_of(&mut self, row: usize, cell: Cell<'_>) -> Option<usize> {
        let said = match (self.roles.symbol, cell) {
            (None, _) => String::new(),
            (Some(_), Cell::Text(text)) => text.to_owned(),
            (Some(_), Cell::Whole(number)) => number.to_string(),
            (Some(_), _) => {
                self.imported.faults.add(row, &self.titles.symbol, "no symbol; each row must name its series");
                return None;
            }
        };
        if let Some(known) = self.known.get(&said) {
            return *known;
        }
        if self.known.len() >= MOST_SERIES {
            self.imported.faults.add(
                row,
                &self.titles.symbol,
                format!("more than {MOST_SERIES} series; cut the file by symbols"),
            );
            return None;
        }
        let found = match instrument(self.asked, self.roles.symbol.is_some(), &said) {
            Ok(instrument) => {
                self.series.push(RawSeries::of(instrument));
                Some(self.series.len() - 1)
            }
            Err(what) => {
                self.imported.faults.add(row, &self.titles.symbol, what);
                None
            }
        };
        self.known.insert(said, found);
        found
    }

    /// The instant of a row and the date it was written with.
    fn placed(&mut self, row: usize, place: usize, moment: Moment) -> Option<(Option<MarketTime>, Option<Date>)> {
        match (moment, &self.asked.zone) {
            (Moment::Day(day), _) => Some((None, Some(day))),
            (Moment::Instant(at), _) => Some((Some(at), None)),
            // Midnight without a zone is how data frames write a date.
            (Moment::Clock(clock), None) if clock.time() == Time::midnight() => Some((None, Some(clock.date()))),
            (Moment::Clock(_), None) => {
                self.is_zoneless = true;
                None
            }
            (Moment::Clock(clock), Some(zone)) => {
                let before = self.series.get(place).and_then(|series| series.rows.last()).and_then(|raw| raw.at);
                let at = moments::in_zone(clock, zone, before);
                if at.is_none() {
                    let what = format!("{clock} never was in this zone: clocks jumped over it; is the zone right?");
                    self.imported.faults.add(row, &self.titles.time, what);
                }
                at.map(|at| (Some(at), Some(clock.date())))
            }
        }
    }

    fn numbers(&mut self, row: usize, cells: &[Cell<'_>]) -> Option<([i64; 4], Option<i64>)> {
        let cell = |place: Option<usize>| place.and_then(|place| cells.get(place)).copied().unwrap_or(Cell::Missing);
        let close = self.roles.close;
        let places = if self.roles.has_range() { [self.roles.open, self.roles.high, self.roles.low, close] } else { [close; 4] };
        if places.iter().all(|place| cell(*place) == Cell::Missing) {
            if self.asked.skips_missing {
                self.imported.left_out.0 += 1;
            } else {
                let what = "no price at all; fill it in, take the row out, or say --skip-missing";
                self.imported.faults.add(row, &self.titles.prices[3], what);
            }
            return None;
        }
        let mut prices = [0_i64; 4];
        let titles = &self.titles.prices;
        let titles = if self.roles.has_range() { titles.each_ref() } else { [&titles[3]; 4] };
        for ((price, place), title) in prices.iter_mut().zip(places).zip(titles) {
            let read =
                scaled(cell(place), 9, self.has_commas).and_then(|nanos| i64::try_from(nanos).map_err(|_| "is absurdly large"));
            match read.and_then(plausible) {
                Ok(nanos) => *price = nanos,
                Err(why) => {
                    self.imported.faults.add(row, title, format!("«{}» {why}", shown(cell(place))));
                    return None;
                }
            }
        }
        if self.asked.is_adjusted && self.roles.adjusted.is_some() {
            let adjusted = scaled(cell(self.roles.adjusted), 9, self.has_commas).ok().filter(|adjusted| *adjusted > 0);
            let Some(adjusted) = adjusted else {
                self.imported.faults.add(
                    row,
                    "adjusted close",
                    "no adjusted close above zero; leave --adjusted out, or fill it in",
                );
                return None;
            };
            let close = i128::from(prices[3]);
            let scale = |price: i64| i64::try_from((i128::from(price) * adjusted + close / 2) / close).unwrap_or(price);
            prices = prices.map(scale);
        }
        let volume = match cell(self.roles.volume) {
            Cell::Missing => None,
            said => {
                match scaled(said, 3, self.has_commas).and_then(|milli| i64::try_from(milli).map_err(|_| "is absurdly large")) {
                    Ok(milli) if milli >= 0 => Some(milli),
                    Ok(_) => {
                        self.imported.faults.add(row, &self.titles.volume, format!("«{}» is below zero", shown(said)));
                        return None;
                    }
                    Err(why) => {
                        self.imported.faults.add(row, &self.titles.volume, format!("«{}» {why}", shown(said)));
                        return None;
                    }
                }
            }
        };
        Some((prices, volume))
    }

    fn finish(self) -> Result<Imported, SheetError> {
        let Self { asked, roles, titles, series, mut imported, .. } = self;
        for raw in series {
            let made = raw.finish(asked, roles.has_range(), &titles.time, &mut imported)?;
            imported.series.extend(made);
        }
        imported.series.sort_by_key(|series| series.instrument);
        Ok(imported)
    }
}

/// The instrument of a series.
fn instrument<'a>(asked: &Asked<'a>, has_symbols: bool, said: &str) -> Result<&'a Instrument, String> {
    let name = match (asked.names.get(said), &asked.symbol) {
        (Some(name), _) => name.as_str(),
        (None, Some(name)) if !has_symbols => name.as_str(),
        (None, Some(name)) if name.eq_ignore_ascii_case(said) => said,
        (None, Some(_)) => {
            return Err(format!("«{}» is another series than --symbol names; say --symbol {0}=SYMBOL for each", clean(said)));
        }
        (None, None) if !has_symbols => return Err("nothing says which instrument this is; say --symbol SYMBOL".to_owned()),
        (None, None) => said,
    };
    asked.instruments.by_symbol(name).ok_or_else(|| {
        let known: Vec<&str> = asked.instruments.iter().map(|known| known.symbol.as_str()).take(40).collect();
        let other = if has_symbols { format!("--symbol {}=SYMBOL", clean(said)) } else { "--symbol SYMBOL".to_owned() };
        format!("«{}» is no instrument of the table; say which one is meant with {other}: {}", clean(name), known.join(", "))
    })
}

fn plausible(nanos: i64) -> Result<i64, &'static str> {
    match nanos {
        ..0 => Err("is below zero; a price must be above"),
        0 => Err("is no price; it must be above zero"),
        // What no share, coin or ounce ever cost.
        100_000_000_000_000_000.. => Err("is absurdly large; a price must be below 100 million"),
        _ => Ok(nanos),
    }
}

/// A cell as it may be shown.
fn shown(cell: Cell<'_>) -> String {
    match cell {
        Cell::Missing => "nothing".to_owned(),
        Cell::Text(text) => clean(text),
        Cell::Whole(number) => number.to_string(),
        Cell::Real(number) => number.to_string(),
        Cell::Single(number) => number.to_string(),
        Cell::Decimal(digits, scale) => format!("{digits}e-{scale}"),
        Cell::Instant(nanos, _) => MarketTime(nanos).to_string(),
        Cell::Day(days) => format!("day {days}"),
    }
}

/// A number in units of ten to the minus `places`; further digits are rounded half away from zero.
fn scaled(cell: Cell<'_>, places: u32, has_commas: bool) -> Result<i128, &'static str> {
    match cell {
        Cell::Missing => Err("where a number must be"),
        Cell::Text(text) => from_text(text, places, has_commas),
        Cell::Whole(number) => shifted(i128::from(number), i64::from(places)).ok_or("is absurdly large"),
        Cell::Real(number) => from_text(&number.to_string(), places, false),
        Cell::Single(number) => from_text(&number.to_string(), places, false),
        Cell::Decimal(digits, scale) => shifted(digits, i64::from(places) - i64::from(scale)).ok_or("is absurdly large"),
        Cell::Instant(..) | Cell::Day(_) => Err("is a time where a number must be"),
    }
}

fn from_text(text: &str, places: u32, has_commas: bool) -> Result<i128, &'static str> {
    const NO_NUMBER: &str = "is not a number";
    let text = text.trim_start_matches(['$', '€', '£', ' ']);
    if text.contains(',') && !has_commas {
        return Err("is not a number, because of its comma; write a point before decimals and nothing between thousands");
    }
    if has_commas && text.contains('.') {
        return Err("is not a number: the others have a comma before their decimals");
    }
    let text = text.replace(',', ".");
    let (body, tens) = match text.as_bytes().last() {
        Some(b'K' | b'k') => (text.get(..text.len() - 1).unwrap_or_default(), 3),
        Some(b'M') => (text.get(..text.len() - 1).unwrap_or_default(), 6),
        Some(b'B') => (text.get(..text.len() - 1).unwrap_or_default(), 9),
        Some(b'%') => return Err("is written in percent"),
        _ => (text.as_str(), 0_i64),
    };
    let (is_negative, body) = body.strip_prefix('-').map_or((false, body), |rest| (true, rest));
    let (mantissa, exponent) = body.split_once(['e', 'E']).unwrap_or((body, "0"));
    let exponent: i64 = exponent.parse().ok().filter(|exponent: &i64| exponent.abs() <= 40).ok_or(NO_NUMBER)?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || digits.len() > 36 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(if text.eq_ignore_ascii_case("inf") { "is infinite" } else { NO_NUMBER });
    }
    let value: i128 = digits.parse().map_err(|_| NO_NUMBER)?;
    let behind = i64::try_from(fraction.len()).map_err(|_| NO_NUMBER)?;
    let scaled = shifted(value, i64::from(places) + exponent + tens - behind).ok_or("is absurdly large")?;
    Ok(if is_negative { -scaled } else { scaled })
}

/// A number times a power of ten.
fn shifted(value: i128, tens: i64) -> Option<i128> {
    let scale = 10_i128.checked_pow(u32::try_from(tens.unsigned_abs()).ok()?);
    match (tens >= 0, scale) {
        (true, Some(scale)) => value.checked_mul(scale),
        (true, None) => None,
        (false, Some(scale)) => Some((value + value.signum() * (scale / 2)) / scale),
        (false, None) => Some(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_to_the_last_digit_or_refused() {
        for (text, has_commas, nanos) in [
            ("130.53", false, Some(130_530_000_000)),
            ("130.52999877929688", false, Some(130_529_998_779)),
            ("$130.5", false, Some(130_500_000_000)),
            ("1e-5", false, Some(10_000)),
            ("1.5E3", false, Some(1_500_000_000_000)),
            ("130,53", true, Some(130_530_000_000)),
            ("1.2M", false, Some(1_200_000_000_000_000)),
            ("-3", false, Some(-3_000_000_000)),
            (".5", false, Some(500_000_000)),
            ("130,53", false, None),
            ("1.130,53", true, None),
            ("inf", false, None),
            ("abc", false, None),
            ("1e99", false, None),
            ("--3", false, None),
            ("", false, None),
            ("3 %", false, None),
        ] {
            assert_eq!(from_text(text, 9, has_commas).ok(), nanos, "{text}");
        }
        assert_eq!(scaled(Cell::Single(130.53), 9, false), Ok(130_530_000_000));
        assert_eq!(scaled(Cell::Decimal(13_053, 2), 9, false), Ok(130_530_000_000));
        assert_eq!(scaled(Cell::Real(f64::INFINITY), 9, false), Err("is infinite"));
    }
}
