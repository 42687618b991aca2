// Package mirror follows the catalogue logs of other nodes, so that what a whole
// institution may know of elsewhere is found at home, whether or not the others answer.
//
// Of each peer a node follows the logs of the classes that its people are in: public,
// members, and to-ID of itself. A round of one log ([follower.round]) goes like this:
//
//  1. The checkpoint of the latest epoch is fetched, and its signature checked with the
//     `log` keys that the charter has of the node. The first entry of each epoch declares
//     how the one before ended, so that one signature covers all epochs (head.go).
//  2. The state must have grown from the one that was last verified: same size, same
//     root; larger, with a proof from the log's own tiles that it begins with what is
//     known (grow.go). What contradicts that is kept as evidence, and the log is followed
//     no further until a new epoch declares the state that was last common (evidence.go).
//  3. Entries are fetched in bundles and held against the tree; statements, where they
//     still hold, against their entries, and listings against their digests (apply.go).
//     A page of statements enters the database in one transaction with how far it goes.
//
// A crash between any two steps is mended by the next round, which goes on where the
// database stands.
//
// Nothing that a peer sends is trusted before it was checked, nor is its length: bodies,
// times and numbers are bounded (fetch.go). What does not check is an error of that
// round, of which [Status] tells, and after which the peer is left alone for a while, longer
// each time.
//
// What cannot be shown: that a peer withholds the text of a statement. That is its right;
// only that there was a statement shows. And a peer that answers with a state that held
// once looks as if nothing new had happened: [Status] says since when.
package mirror
