package infer

// Merge adds what o observed, whose cells follow those of d. The result is what
// d would be had it observed them itself. o must not be used afterwards.
func (d *Decider) Merge(o *Decider) {
	shift := d.rows
	if o.placed {
		shift = 0
	}
	d.placed = d.placed || o.placed
	for i := range d.lacking {
		for _, row := range o.lacking[i].rows[:o.lacking[i].n] {
			d.lacking[i].add(row + shift)
		}
	}
	for c := range d.counts {
		d.counts[c] += o.counts[c]
		d.mergeSeen(cellClass(c), o.seen[c], shift)
	}
	for f := range d.flagged {
		d.flagged[f] += o.flagged[f]
	}
	d.grouped.merge(&o.grouped, shift)
	d.united.merge(&o.united, shift)
	d.qualified.merge(&o.qualified, shift)
	d.dotted += o.dotted
	d.scaled += o.scaled
	d.zeros += o.zeros
	d.whole += o.whole
	d.dates += o.dates
	d.padded += o.padded
	d.invalid += o.invalid
	d.inexact.merge(&o.inexact, shift)
	d.fineCount += o.fineCount
	for _, row := range o.fine.rows[:o.fine.n] {
		d.fine.add(row + shift)
	}
	d.bareMarks += o.bareMarks
	for _, row := range o.bare.rows[:o.bare.n] {
		d.bare.add(row + shift)
	}
	d.mergeLengths(o)
	d.values.mergeShifted(&o.values, shift)
	d.points.mergeShifted(&o.points, shift)
	d.dots.mergeShifted(&o.dots, shift)
	d.order.merge(&o.order)
	d.sketch.merge(&o.sketch)
	d.mergeWords(o, shift)
	d.mergeTallies(o, shift)
	d.mergeShapes(o, shift)
	d.rows += o.rows
}

func (d *Decider) mergeSeen(c cellClass, s *seen, shift int64) {
	if s == nil {
		return
	}
	if d.seen[c] == nil {
		d.seen[c] = &seen{}
	}
	for _, row := range s.rows[:s.n] {
		d.seen[c].add(row + shift)
	}
}

func (d *Decider) mergeLengths(o *Decider) {
	d.lengths.max = max(d.lengths.max, o.lengths.max)
	if o.lengths.min > 0 && (d.lengths.min == 0 || o.lengths.min < d.lengths.min) {
		d.lengths.min = o.lengths.min
	}
}

func (d *Decider) mergeWords(o *Decider, shift int64) {
	if o.words.over && !d.words.over {
		d.words.over = true
		d.spill()
	}
	for i := range o.words.list {
		w := o.words.list[i]
		b := o.words.at(i)
		if d.words.over {
			d.sketch.add(w.hash, w.count)
			continue
		}
		if e := d.words.find(b, w.hash); e != nil {
			e.count += w.count
			continue
		}
		w.first += shift
		if !d.words.insert(b, w) {
			d.spill()
			d.sketch.add(w.hash, w.count)
		}
	}
}

func (d *Decider) mergeTallies(o *Decider, shift int64) {
	d.missing = mergeTally(d.missing, o.missing, shift)
	if d.manyTexts = d.manyTexts || o.manyTexts; d.manyTexts {
		d.texts = nil
	} else if d.texts = mergeTally(d.texts, o.texts, shift); len(d.texts) > textLimit {
		d.texts, d.manyTexts = nil, true
	}
	if d.manyUnits = d.manyUnits || o.manyUnits; d.manyUnits {
		d.units = nil
	} else if d.units = mergeTally(d.units, o.units, shift); len(d.units) > unitLimit {
		d.units, d.manyUnits = nil, true
	}
	for k, n := range o.offsets {
		if d.offsets == nil {
			d.offsets = map[int]int64{}
		}
		d.offsets[k] += n
	}
}

func mergeTally(d, o map[string]*tally, shift int64) map[string]*tally {
	for k, t := range o {
		if d == nil {
			d = map[string]*tally{}
		}
		if have := d[k]; have != nil {
			have.count += t.count
			have.spaced += t.spaced
			continue
		}
		d[k] = &tally{count: t.count, spaced: t.spaced, first: t.first + shift}
	}
	return d
}

func (d *Decider) mergeShapes(o *Decider, shift int64) {
	d.recent = nil
	for k, t := range o.shapes {
		if d.shapes == nil {
			d.shapes = map[shape]*shapeTally{}
		}
		have := d.shapes[k]
		if have == nil {
			have = &shapeTally{first: t.first + shift}
			d.shapes[k] = have
		}
		have.count += t.count
		have.monthFirst += t.monthFirst
		have.dayFirst += t.dayFirst
		for _, row := range t.seen.rows[:t.seen.n] {
			have.seen.add(row + shift)
		}
	}
}
