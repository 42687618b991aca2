// Package tile keeps a transparency log in a folder, in the form of
// https://c2sp.org/tlog-tiles: entries in bundles, the hashes of their Merkle
// tree (RFC 6962) in tiles, and a signed checkpoint that says how many entries
// there are and what their root hash is. Anybody who has the key's public part
// can check the folder with other programs, and a peer that mirrors it needs
// nothing but the files.
//
//	checkpoint              the latest signed checkpoint
//	checkpoints/000…0042    earlier ones, to check the log against
//	tile/entries/x001/234   256 entries, each after its length in two bytes
//	tile/0/x001/234         the hashes of these entries
//	tile/1/004              256 hashes of such tiles; and so on
//	….p/17                  a tile, or bundle, that holds only 17 so far
//
// What is appended is written to new files, synced, and only then the checkpoint
// is put in place by a rename, which is the moment at which the entries are in
// the log. A crash before leaves files that no checkpoint speaks of and that the
// next try replaces. Of the tiles at the edge only the latest partial ones are
// kept on disk: each is a prefix of those that follow, and [Log.Tile] cuts out
// what a reader with an older checkpoint asks for.
//
// [Log.Verify] grows the tree anew from the entries alone and compares every
// file it yields, byte by byte, with the one on disk.
package tile
