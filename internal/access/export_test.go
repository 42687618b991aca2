package access

// ForgetAssets empties the cache of what is stored about versions.
func ForgetAssets(d *Decider) { d.assets.clear() }

// Kept is how many decisions are kept.
func Kept(d *Decider) int { return d.decisions.len() }

// KeptMost is how many decisions are kept at most.
const KeptMost = 2 * cachedDecisions
