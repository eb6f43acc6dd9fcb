//! What can be wrong with a hive.

use flr_fs::Code;

/// The file does not begin with a base block.
pub const BASE: Code = Code::new("registry.base");
/// The base block's checksum does not fit.
pub const BASE_CHECKSUM: Code = Code::new("registry.base.checksum");
/// A version or kind of hive that is not read.
pub const VERSION: Code = Code::new("registry.version");
/// No bin lies where a cell says that it is.
pub const BIN: Code = Code::new("registry.bin");
/// A cell lies outside of the hive or of its bin, or is a free one.
pub const CELL: Code = Code::new("registry.cell");
/// A cell larger than what is read.
pub const CELL_SIZE: Code = Code::new("registry.cell.size");
/// A key node that makes no sense.
pub const KEY: Code = Code::new("registry.key");
/// A list of subkeys that makes no sense.
pub const SUBKEYS: Code = Code::new("registry.subkeys");
/// More subkeys or values than are read.
pub const COUNT: Code = Code::new("registry.count");
/// A value that makes no sense.
pub const VALUE: Code = Code::new("registry.value");
/// A value larger than what is read.
pub const VALUE_SIZE: Code = Code::new("registry.value.size");
/// A value of several segments that makes no sense.
pub const BIG_DATA: Code = Code::new("registry.big-data");

/// All of them.
pub const ALL: &[Code] = &[
    BASE,
    BASE_CHECKSUM,
    VERSION,
    BIN,
    CELL,
    CELL_SIZE,
    KEY,
    SUBKEYS,
    COUNT,
    VALUE,
    VALUE_SIZE,
    BIG_DATA,
];
