//! Two services on one table: what one sends, the other gets.
