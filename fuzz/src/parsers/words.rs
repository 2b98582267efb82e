//! What holds for every text that leaves a parser, and what the checks share.

use std::env;
use std::path::{Path, PathBuf};

/// Characters of the longest trouble: three sentences.
pub const LONGEST_TROUBLE: usize = 6_010;

/// The first byte chooses what the rest is given to; an empty input chooses nothing.
pub fn chosen(bytes: &[u8]) -> Option<(u8, &[u8])> {
    bytes.split_first().map(|(first, rest)| (*first, rest))
}

/// The same, with the rest as text; bytes that are no UTF-8 are replaced, as the sockets' shell refuses them before a parser sees them.
pub fn chosen_text(bytes: &[u8]) -> Option<(u8, String)> {
    chosen(bytes).map(|(first, rest)| (first, String::from_utf8_lossy(rest).into_owned()))
}

/// Whether a character could move the cursor, reorder a line, or hide. Written down anew, not asked of the code under test.
fn is_hostile(character: char) -> bool {
    let code = u32::from(character);
    character.is_control()
        || (0x200B..=0x200F).contains(&code)
        || (0x202A..=0x202E).contains(&code)
        || (0x2060..=0x206F).contains(&code)
        || (0xE0000..=0xE007F).contains(&code)
        || code == 0xFEFF
}

/// What a person may be shown: nothing hostile in it, and no longer than it may be.
#[track_caller]
pub fn is_fit_to_show(text: &str, longest: usize) {
    let found = text.chars().find(|character| is_hostile(*character));
    assert_eq!(found, None, "a hostile character leaves the parser: {text:?}");
    let length = text.chars().count();
    assert!(length <= longest, "{length} characters, more than {longest}: {text:?}");
}

/// Does something in a folder of this thread's own, in memory where there is one.
pub fn with_folder<T>(run: impl FnOnce(&Path) -> T) -> T {
    thread_local! {
        static FOLDER: tempfile::TempDir = {
            let memory = PathBuf::from("/dev/shm");
            tempfile::tempdir_in(if memory.is_dir() { memory } else { env::temp_dir() }).expect("a folder of its own")
        };
    }
    FOLDER.with(|folder| run(folder.path()))
}
