//! The table of tensors: which types are read, and where a tensor may lie.

use candle_core::quantized::GgmlDType;

use crate::llm::gguf::GgufError;

/// How a tensor's numbers are kept. There is no variant for what is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// 32 bits.
    F32,
    /// 16 bits.
    F16,
    /// 16 bits, the exponent of 32.
    Bf16,
    /// Blocks of 32, 4 bits, a scale.
    Q4_0,
    /// Blocks of 32, 4 bits, a scale and an offset.
    Q4_1,
    /// Blocks of 32, 5 bits, a scale.
    Q5_0,
    /// Blocks of 32, 5 bits, a scale and an offset.
    Q5_1,
    /// Blocks of 32, 8 bits, a scale.
    Q8_0,
    /// Blocks of 256, 2 bits.
    Q2K,
    /// Blocks of 256, 3 bits.
    Q3K,
    /// Blocks of 256, 4 bits.
    Q4K,
    /// Blocks of 256, 5 bits.
    Q5K,
    /// Blocks of 256, 6 bits.
    Q6K,
}

/// One tensor of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: Kind,
    /// Its dimensions, rows first; the last is contiguous.
    pub shape: Vec<usize>,
    /// Where it begins, counted from the first byte of the tensors.
    pub offset: u64,
    /// How many bytes it has.
    pub bytes: u64,
}

/// A tensor as the file tells it.
pub(super) struct Told {
    pub name: String,
    pub kind: u32,
    /// The contiguous dimension first.
    pub dimensions: Vec<u64>,
    pub offset: u64,
}

/// More elements than any tensor has.
const MOST_ELEMENTS: u64 = 1 << 36;

impl Kind {
    /// All that are read.
    pub const ALL: [Self; 13] = [
        Self::F32,
        Self::F16,
        Self::Bf16,
        Self::Q4_0,
        Self::Q4_1,
        Self::Q5_0,
        Self::Q5_1,
        Self::Q8_0,
        Self::Q2K,
        Self::Q3K,
        Self::Q4K,
        Self::Q5K,
        Self::Q6K,
    ];

    /// Its number in a file.
    pub const fn number(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Q4_0 => 2,
            Self::Q4_1 => 3,
            Self::Q5_0 => 6,
            Self::Q5_1 => 7,
            Self::Q8_0 => 8,
            Self::Q2K => 10,
            Self::Q3K => 11,
            Self::Q4K => 12,
            Self::Q5K => 13,
            Self::Q6K => 14,
            Self::Bf16 => 30,
        }
    }

    /// Elements of a block, and its bytes.
    pub const fn block(self) -> (u64, u64) {
        match self {
            Self::F32 => (1, 4),
            Self::F16 | Self::Bf16 => (1, 2),
            Self::Q4_0 => (32, 18),
            Self::Q4_1 => (32, 20),
            Self::Q5_0 => (32, 22),
            Self::Q5_1 => (32, 24),
            Self::Q8_0 => (32, 34),
            Self::Q2K => (256, 84),
            Self::Q3K => (256, 110),
            Self::Q4K => (256, 144),
            Self::Q5K => (256, 176),
            Self::Q6K => (256, 210),
        }
    }

    /// Its usual name.
    pub const fn word(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::Bf16 => "BF16",
            Self::Q4_0 => "Q4_0",
            Self::Q4_1 => "Q4_1",
            Self::Q5_0 => "Q5_0",
            Self::Q5_1 => "Q5_1",
            Self::Q8_0 => "Q8_0",
            Self::Q2K => "Q2_K",
            Self::Q3K => "Q3_K",
            Self::Q4K => "Q4_K",
            Self::Q5K => "Q5_K",
            Self::Q6K => "Q6_K",
        }
    }

    /// The arithmetic library's name of it.
    pub const fn arithmetic(self) -> GgmlDType {
        match self {
            Self::F32 => GgmlDType::F32,
            Self::F16 => GgmlDType::F16,
            Self::Bf16 => GgmlDType::BF16,
            Self::Q4_0 => GgmlDType::Q4_0,
            Self::Q4_1 => GgmlDType::Q4_1,
            Self::Q5_0 => GgmlDType::Q5_0,
            Self::Q5_1 => GgmlDType::Q5_1,
            Self::Q8_0 => GgmlDType::Q8_0,
            Self::Q2K => GgmlDType::Q2K,
            Self::Q3K => GgmlDType::Q3K,
            Self::Q4K => GgmlDType::Q4K,
            Self::Q5K => GgmlDType::Q5K,
            Self::Q6K => GgmlDType::Q6K,
        }
    }

    /// What it is kept as on a CPU: some have no fast arithmetic there, and lose next to nothing with eight bits.
    pub const fn fast_on_a_cpu(self) -> Self {
        match self {
            Self::Q4_1 | Self::Q5_0 | Self::Q5_1 => Self::Q8_0,
            kind => kind,
        }
    }

    /// Bytes of that many elements; `None` where they fill no whole blocks or there are too many.
    pub fn bytes_of(self, elements: u64) -> Option<u64> {
        let (block, bytes) = self.block();
        if !elements.is_multiple_of(block) {
            return None;
        }
        (elements / block).checked_mul(bytes)
    }
}

impl TensorInfo {
    /// How many numbers it has.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }
}

/// The names of what is read, for a person.
pub(super) fn readable() -> String {
    Kind::ALL.map(Kind::word).join(", ")
}

/// Checks the table as a whole: shapes, types, places.
pub(super) fn checked(told: Vec<Told>, alignment: u64, data_bytes: u64) -> Result<Vec<TensorInfo>, GgufError> {
    let tensors = told.into_iter().map(|one| of_told(one, alignment, data_bytes)).collect::<Result<Vec<_>, _>>()?;
    let mut by_place: Vec<&TensorInfo> = tensors.iter().collect();
    by_place.sort_by_key(|tensor| tensor.offset);
    for (before, after) in by_place.iter().zip(by_place.iter().skip(1)) {
        if before.offset + before.bytes > after.offset {
            return Err(GgufError::Place { tensor: after.name.clone(), wrong: "over another" });
        }
    }
    let mut names: Vec<&str> = tensors.iter().map(|tensor| tensor.name.as_str()).collect();
    names.sort_unstable();
    match names.iter().zip(names.iter().skip(1)).find(|(one, other)| one == other) {
        Some((name, _)) => Err(GgufError::Twice((*name).to_owned())),
        None => Ok(tensors),
    }
}

fn of_told(told: Told, alignment: u64, data_bytes: u64) -> Result<TensorInfo, GgufError> {
    let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.number() == told.kind) else {
        return Err(GgufError::TensorType { tensor: told.name, kind: unread(told.kind) });
    };
    let shape: Vec<u64> = told.dimensions.iter().rev().copied().collect();
    let impossible = || GgufError::Shape { tensor: told.name.clone(), shape: shape.clone() };
    let elements = shape
        .iter()
        .try_fold(1_u64, |product, &dimension| product.checked_mul(dimension))
        .filter(|&elements| elements > 0 && elements <= MOST_ELEMENTS)
        .ok_or_else(impossible)?;
    let row = shape.last().copied().ok_or_else(impossible)?;
    kind.bytes_of(row).ok_or_else(impossible)?;
    let bytes = kind.bytes_of(elements).ok_or_else(impossible)?;
    let small =
        shape.iter().map(|&dimension| usize::try_from(dimension).ok()).collect::<Option<Vec<_>>>().ok_or_else(impossible)?;
    let place = |wrong| GgufError::Place { tensor: told.name.clone(), wrong };
    if !told.offset.is_multiple_of(alignment) {
        return Err(place("beside the alignment"));
    }
    if told.offset.checked_add(bytes).is_none_or(|end| end > data_bytes) {
        return Err(place("beyond the end of the file"));
    }
    Ok(TensorInfo { name: told.name, kind, shape: small, offset: told.offset, bytes })
}

/// What a type that is not read is called.
fn unread(number: u32) -> String {
    let name = match number {
        9 => "Q8_1",
        15 => "Q8_K",
        16 => "IQ2_XXS",
        17 => "IQ2_XS",
        18 => "IQ3_XXS",
        19 => "IQ1_S",
        20 => "IQ4_NL",
        21 => "IQ3_S",
        22 => "IQ2_S",
        23 => "IQ4_XS",
        24 => "I8",
        25 => "I16",
        26 => "I32",
        27 => "I64",
        28 => "F64",
        29 => "IQ1_M",
        34 => "TQ1_0",
        35 => "TQ2_0",
        39 => "MXFP4",
        _ => return format!("number {number}"),
    };
    name.to_owned()
}
