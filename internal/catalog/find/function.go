package find

import "strings"

// functionWords are the English words that hold a sentence together and say nothing of what it is about:
// articles, pronouns, prepositions, conjunctions, auxiliaries. They are searched for like
// all words, but two descriptions are not alike for having them in common. Those of fewer
// than prefixFrom letters are left out of likeness anyway.
var functionWords = setOf(`
	about above across after against all along also although among and another any are around
	because been before behind being below beneath beside besides between beyond both but can cannot could
	did does doing done down due during each either else etc even ever every few for from further
	had has have having hence her here hers herself him himself his how however into its itself
	just least less many may might more moreover most much must neither nevertheless nor not now
	off often once one only onto other others otherwise our ours out over own per
	rather same several shall she should since some such
	than that the their theirs them then there thereby therefore these they this those though through throughout thus
	too toward towards under unless until upon used uses using
	very via was were what when whenever where whereas wherever whether which while who whom whose why will with
	within without would yet you your yours`)

func setOf(words string) map[string]bool {
	set := map[string]bool{}
	for w := range strings.FieldsSeq(words) {
		set[w] = true
	}
	return set
}
