// Package profile describes the values of each column of a table while they
// stream past once: how many, how many missing, how many different, where they
// lie, which are frequent, how a column of times is paced, and how much a
// column tells about the target.
//
// A [Table] holds one [Column] per column. Columns do not touch one another's
// state, so each can be fed by a goroutine of its own. Values are gathered into
// blocks of a fixed size before any sketch sees them, so a profile is a
// function of the sequence of values and not of how it was cut into batches;
// the random choices of the sketches come from generators with a fixed seed.
//
// What is exact and what is estimated:
//
//   - Count, nulls, minimum, maximum, lengths and histogram counts are exact.
//     The histogram's bins have a width that is a power of two and begin at
//     multiples of it, so that widening the range merges whole bins.
//   - Mean and standard deviation are summed per block about the block's own
//     mean and merged after Chan, Golub and LeVeque (1983), so that a large
//     offset does not cancel. NaN and ±Inf count as values, and stand outside
//     everything computed from numbers.
//   - Distinct counts and top values are exact up to 4096 distinct values. Beyond,
//     distinct is a HyperLogLog estimate (Flajolet et al. 2007, with the estimator
//     of Ertl 2017) of 2¹⁴ registers: relative standard error 0.81 %. Top values
//     come from sample-and-hold (Estan and Varghese 2002): a value is counted
//     exactly from the moment it was sampled, so its count is a lower bound; only
//     values that make up a thousandth of the column are named.
//   - Quantiles come from a KLL sketch (Karnin, Lang and Liberty 2016) behind a
//     sampler: exact up to 4096 values, else a rank error below 1 % (over five
//     standard deviations of the sketch; the tests hold it to that).
//   - Times: differences are taken between rows in order when the column is
//     sorted either way, else between its sorted distinct times, of which 65,536
//     are kept. A step is named when at least half of the differences equal it; a
//     gap is a difference of more than one and a half steps.
//   - Association is Pearson's r between numbers (times are numbers), η² between a
//     number and a category, Cramér's V between categories. A category
//     column with more than 4096 values, or a target with more than 64 classes,
//     has none; nor have identifiers and free text.
//
// A column needs at most about 0.5 MB; tables of more than 512 and more than
// 8192 columns use smaller sketches, and state their larger errors.
package profile
