//! How a board is shown: its columns in the project's order, in each the cards by rank and id.

use std::collections::BTreeMap;

/// Where a card stands, as its row says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place<'a> {
    /// Compared byte by byte.
    pub rank: &'a str,
    /// Decides between equal ranks.
    pub task_id: &'a str,
    /// The column, which the project need not have any more.
    pub column: &'a str,
}

/// The ids of cards, column by column. What stands in a column that the project does not have any more is shown in the first
/// one; its row stays as it is, so that it is where it was if the column comes back.
#[must_use]
pub fn shown<'a>(
    column_order: &[&'a str],
    cards: impl IntoIterator<Item = Place<'a>>,
) -> Vec<(&'a str, Vec<&'a str>)> {
    let places: BTreeMap<&str, usize> =
        column_order.iter().enumerate().map(|(at, column)| (*column, at)).collect();
    let mut columns: Vec<Vec<Place<'_>>> = vec![Vec::new(); column_order.len()];
    for card in cards {
        let at = places.get(card.column).copied().unwrap_or_default();
        if let Some(column) = columns.get_mut(at) {
            column.push(card);
        }
    }
    let ids = |mut cards: Vec<Place<'a>>| {
        cards.sort();
        cards.into_iter().map(|card| card.task_id).collect()
    };
    column_order.iter().copied().zip(columns.into_iter().map(ids)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_are_shown_by_rank_and_id_and_those_of_no_column_in_the_first_one() {
        let cards = [
            ("b", "t1", "todo"),
            ("a", "t3", "todo"),
            ("a", "t2", "todo"),
            ("B", "t4", "todo"),
            ("aa", "t5", "gone"),
            ("0", "t6", "done"),
        ];
        let cards = cards.map(|(rank, task_id, column)| Place { rank, task_id, column });
        assert_eq!(
            shown(&["todo", "done"], cards),
            [("todo", vec!["t4", "t2", "t3", "t5", "t1"]), ("done", vec!["t6"])]
        );
        assert_eq!(shown(&[], cards), []);
    }
}
