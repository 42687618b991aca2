// Package search answers what somebody may find: in the node's own catalogue, in those
// that it mirrors, and at the other nodes of the federation.
//
// # One index, brought up to date before it answers
//
// Package find has the index. Whatever changes what is found of a version notes that in
// the transaction of the change (catalog/found.go); a [Searcher] takes it from there
// (feed.go). Changes of this node, and what others take back, are in the index before the next
// search is answered: nothing that is hidden shows for a moment, and a crash between
// the commit and the index loses nothing. What other nodes have to say comes in the background.
//
// # Who may know of what
//
// A search must not ask for each version of a million. Documents have classes: those of
// the catalogue's logs, and of this node's own documents also which of its people may know
// of them. From who somebody is follow the classes that they are in (access.Outlook); what they
// may know of beside, by what is granted to them or theirs, is found by leads and decided one by one
// (asker.go). Where classes do not tell everything, as under an institution's own policies, or
// not yet, as after a change of the charter, each version of this node is decided. What is shown at
// last is decided once more: a mistake becomes a slow answer, not a wrong one.
//
// # Other nodes
//
// Somebody of this node may know of more at others than their classes do. Those are asked
// in their name, all at once and for a short time (ask.go), and send the listings of what matches. These are
// put into the index for this one search (find.Index.SearchWith): they are ranked, counted and highlighted
// here, whatever else a node says of them. So an answer is that of one index that has
// everything, and a node that lies, stalls or floods costs its own hits alone.
package search
