// Package work does what a node is asked to do. It composes what no other
// package may see at once: ingest and learn over one catalogue and one blob
// store. Every method first asks access whether the caller may, and what
// changes the catalogue does so in one transaction at the end, so that work
// which fails or is stopped leaves nothing that looks whole.
package work
