// Package infer decides how the raw cells of a column are read, and reads them.
//
// The first pass shows every cell of a column to a [Decider], which keeps
// bounded statistics: how many cells have which shape (integer, decimal,
// grouped, dated, qualified, with a unit, a word), the lowest and highest
// values, an estimate of how many differ, and the words themselves while they
// are few. Deciders of consecutive stretches of a column merge to exactly what
// one decider would have seen. [Decider.Decide] turns that into a [Reading]
// with a sentence of evidence for each line of it, and findings where a person
// should look.
//
// The second pass applies the Reading with a [Converter]: every cell becomes a
// value, or no value because the Reading says its spelling means that, or it is
// handed to the caller as bad with the rule it broke. Nothing is guessed there.
//
// What is decided, and on what evidence:
//
//   - One form per column. A column is numeric when at most one cell in twenty
//     is something else; those cells are bad, not silently dropped.
//   - Missing values. Words such as NA are missing where the column is numeric
//     or their look differs from the column's other words: NA among two-letter
//     country codes is Namibia. A number such as -9999 is missing only when it
//     lies far outside all other values (sentinel.go states the rule).
//   - Decimal comma or thousands separator, day or month first: whatever every
//     row allows; when all rows allow both, the choice is a finding.
//   - Meaning by content and name: molecules, formulas, places, directions,
//     people.
//
// number.go, grouped.go and times.go hold the one grammar both passes share, so that what
// was decided is what is read.
package infer
