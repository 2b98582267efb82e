//! Which column of a file is what: by its title in the ways people write it, or by its place where there are no titles.

use crate::market::own::text::SYMBOLS;

/// Where what is needed stands, by the place of its column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Roles {
    pub time: Option<usize>,
    /// The time of day, where date and time are two columns.
    pub clock: Option<usize>,
    pub symbol: Option<usize>,
    pub open: Option<usize>,
    pub high: Option<usize>,
    pub low: Option<usize>,
    pub close: Option<usize>,
    /// A close that the source adjusted, beside the one as traded.
    pub adjusted: Option<usize>,
    pub volume: Option<usize>,
    /// Titles that say nothing here.
    pub ignored: Vec<String>,
}

// Titles of German and Polish exports stand behind the English ones.
const DAYS: [&str; 7] = ["date", "day", "tradedate", "tradingday", "dt", "datum", "data"];
const TIMES: [&str; 22] = [
    "datetime",
    "timestamp",
    "ts",
    "tsutc",
    "dateutc",
    "opentime",
    "openat",
    "unix",
    "unixtime",
    "unixtimestamp",
    "epoch",
    "begin",
    "start",
    "starttime",
    "bartime",
    "gmttime",
    "localtime",
    "indexlevel0",
    "index",
    "period",
    "at",
    "t",
];
const CLOCKS: [&str; 3] = ["time", "timeofday", "hour"];
const OPENS: [&str; 8] = ["open", "o", "openprice", "first", "priceopen", "erffnung", "eroeffnung", "otwarcie"];
const HIGHS: [&str; 9] = ["high", "h", "highprice", "max", "pricehigh", "highest", "hoch", "najwyzszy", "najwyszy"];
const LOWS: [&str; 9] = ["low", "l", "lowprice", "min", "pricelow", "lowest", "tief", "najnizszy", "najniszy"];
const CLOSES: [&str; 13] = [
    "close",
    "c",
    "closeprice",
    "last",
    "lastprice",
    "closelast",
    "priceclose",
    "settle",
    "settlement",
    "schluss",
    "schlusskurs",
    "zamkniecie",
    "zamknicie",
];
const PRICES: [&str; 4] = ["price", "value", "rate", "mid"];
const ADJUSTED: [&str; 4] = ["adjclose", "adjustedclose", "adjcloseprice", "closeadj"];
const VOLUMES: [&str; 12] = [
    "volume",
    "v",
    "vol",
    "volumetraded",
    "basevolume",
    "tickvolume",
    "tickvol",
    "quantity",
    "qty",
    "size",
    "volumen",
    "wolumen",
];
const MORE_SYMBOLS: [&str; 4] = ["code", "pair", "actsymbol", "sym"];

impl Roles {
    /// By titles.
    pub(super) fn by_titles(titles: &[String]) -> Self {
        // `<CLOSE>`, `Close/Last`, `__index_level_0__` and `close` are written differently only.
        let plain = |title: &String| title.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
        let plain: Vec<String> = titles.iter().map(plain).collect();
        // The names are in the order in which they are believed.
        let find = |names: &[&str]| names.iter().find_map(|name| plain.iter().position(|title| title == name));
        let (day, time, clock) = (find(&DAYS), find(&TIMES), find(&CLOCKS));
        // An index without a name stands first in what pandas writes.
        let nameless = plain.first().filter(|title| title.is_empty() || *title == "unnamed0").map(|_| 0);
        let (time, clock) = match (time, day, clock) {
            (None, Some(day), clock) => (Some(day), clock),
            (time, day, clock) => (time.or(day).or(clock).or(nameless), None),
        };
        let mut symbols = SYMBOLS.to_vec();
        symbols.extend(MORE_SYMBOLS);
        let (open, high, low) = (find(&OPENS), find(&HIGHS), find(&LOWS));
        let adjusted = find(&ADJUSTED);
        let close = find(&CLOSES).or_else(|| find(&PRICES));
        let (close, adjusted) = if close.is_some() { (close, adjusted) } else { (adjusted, None) };
        let mut roles = Self {
            time,
            clock,
            symbol: find(&symbols),
            open,
            high,
            low,
            close,
            adjusted,
            volume: find(&VOLUMES),
            ignored: Vec::new(),
        };
        let used = roles.used();
        roles.ignored =
            titles.iter().enumerate().filter(|(place, _)| !used.contains(place)).map(|(_, title)| title.clone()).collect();
        roles
    }

    /// By place: what exports without titles hold. Nothing where so many columns are no layout that is known.
    pub(super) fn by_place(width: usize) -> Option<Self> {
        let bars = |first: usize, has_volume: bool| Self {
            time: Some(0),
            clock: (first == 2).then_some(1),
            open: Some(first),
            high: Some(first + 1),
            low: Some(first + 2),
            close: Some(first + 3),
            volume: has_volume.then_some(first + 4),
            ..Self::default()
        };
        match width {
            2 => Some(Self { time: Some(0), close: Some(1), ..Self::default() }),
            3 => Some(Self { time: Some(0), close: Some(1), volume: Some(2), ..Self::default() }),
            5 => Some(bars(1, false)),
            // Exchanges of crypto pairs put the close's time and counts of trades behind it.
            6 | 12 => Some(bars(1, true)),
            7 => Some(bars(2, true)),
            _ => None,
        }
    }

    /// The layout in words.
    pub(super) fn words(&self) -> String {
        let mut named: Vec<(usize, &str)> = [
            (self.time, if self.clock.is_some() { "date" } else { "time" }),
            (self.clock, "time of day"),
            (self.open, "open"),
            (self.high, "high"),
            (self.low, "low"),
            (self.close, "close"),
            (self.volume, "volume"),
        ]
        .into_iter()
        .filter_map(|(place, name)| Some((place?, name)))
        .collect();
        named.sort_unstable();
        named.into_iter().map(|(_, name)| name).collect::<Vec<_>>().join(", ")
    }

    /// Whether it has a range, not only a price.
    pub(super) const fn has_range(&self) -> bool {
        self.open.is_some() && self.high.is_some() && self.low.is_some()
    }

    fn used(&self) -> Vec<usize> {
        let all = [self.time, self.clock, self.symbol, self.open, self.high, self.low, self.close, self.adjusted, self.volume];
        all.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roles(titles: &str) -> String {
        let titles: Vec<String> = titles.split(',').map(str::to_owned).collect();
        let roles = Roles::by_titles(&titles);
        let named = |place: Option<usize>| place.map_or("-".to_owned(), |place| place.to_string());
        let all =
            [roles.time, roles.clock, roles.symbol, roles.open, roles.high, roles.low, roles.close, roles.adjusted, roles.volume];
        all.map(named).join(" ")
    }

    #[test]
    fn titles_are_known_in_the_ways_people_write_them() {
        for (titles, places) in [
            ("Date,Open,High,Low,Close,Adj Close,Volume", "0 - - 1 2 3 4 5 6"),
            ("timestamp,open,high,low,close,volume", "0 - - 1 2 3 4 - 5"),
            ("<TICKER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>", "1 2 0 3 4 5 6 - 7"),
            ("Date,Close/Last,Volume,Open,High,Low", "0 - - 3 4 5 1 - 2"),
            ("Date,Price,Open,High,Low,Vol.,Change %", "0 - - 2 3 4 1 - 5"),
            ("Unnamed: 0,o,h,l,c,v", "0 - - 1 2 3 4 - 5"),
            ("symbol,ts_utc,open,high,low,close,volume_usd", "1 - 0 2 3 4 5 - -"),
            ("time,price,qty", "0 - - - - - 1 - 2"),
            ("open,high,low,close,__index_level_0__", "4 - - 0 1 2 3 - -"),
            ("instrument,open_at,close_at,open,high,low,close,volume,symbol", "1 - 8 3 4 5 6 - 7"),
            ("date,adj_close", "0 - - - - - 1 - -"),
            ("Data,Otwarcie,Najwyzszy,Najnizszy,Zamkniecie,Wolumen", "0 - - 1 2 3 4 - 5"),
            ("Datum,Eröffnung,Hoch,Tief,Schluss,Volumen", "0 - - 1 2 3 4 - 5"),
        ] {
            assert_eq!(roles(titles), places, "{titles}");
        }
    }
}
