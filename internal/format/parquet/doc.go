// Package parquet reads Parquet files strangers send and writes the ones that
// stored tables are made of.
package parquet
