//! A small generator of numbers from a seed, for whatever must be drawn and drawn again.

/// SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators"): good enough to draw with, no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// A generator that begins with this seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub const fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number in `0..count`; 0 where `count` is 0.
    pub const fn below(&mut self, count: u64) -> u64 {
        let drawn = self.draw();
        if count == 0 { 0 } else { drawn % count }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers that its reference implementation gives.
    #[test]
    fn it_draws_what_the_reference_draws() {
        let mut numbers = SplitMix64::new(1_234_567);
        let drawn = [(); 5].map(|()| numbers.draw());
        let reference = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ];
        assert_eq!(drawn, reference);
    }
}
