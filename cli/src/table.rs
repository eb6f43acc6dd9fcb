//! Columns for people: each as wide as its widest cell.

use crate::commands::Context;
use crate::output::Outcome;

/// Prints rows of cells that are fit to be shown, the first of them the heads. The column `right` stands
/// at the right end of its width, as numbers do.
pub(crate) fn print<const N: usize>(
    ctx: &mut Context<'_>,
    table: &[[String; N]],
    right: usize,
) -> Outcome<()> {
    let mut widths = [0_usize; N];
    for row in table {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in table {
        let cells = row.iter().zip(widths).enumerate();
        let cells = cells.map(|(index, (cell, width))| match index == right {
            true => format!("{cell:>width$}"),
            false => format!("{cell:<width$}"),
        });
        let cells: Vec<_> = cells.collect();
        ctx.out.line(cells.join("  ").trim_end())?;
    }
    Ok(())
}
