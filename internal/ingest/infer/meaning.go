package infer

import (
	"fmt"
	"strings"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/ingest/unit"
)

// unit decides the column's unit.
func (c *decision) unit() {
	spelled := c.raw.Unit
	code, ok := unit.ParseFor(spelled, c.header.Name)
	where := "the row of units"
	if spelled == "" || c.unitZone() != "" && !ok {
		spelled, code, where = c.header.Spelling, c.header.UCUM, "the header"
		ok = code != ""
	}
	if !ok && len(c.Reading.CellUnits) > 0 {
		spelled, where = c.Reading.CellUnits[0], "the cells"
		code, ok = unit.ParseLike(spelled, "")
	}
	unread := c.header.Unread
	switch {
	case spelled == "" && unread != "" && c.Column.Type.Numeric():
		c.find("unit-unknown", genesis.Warn, 0, nil, fmt.Sprintf("the header seems to give the unit %q, which is not understood", unread), "state it in the recipe as a UCUM code: unit: kW")
	case spelled == "":
	case !c.Column.Type.Numeric():
		if where == "the header" || ok {
			c.find("unit-ignored", genesis.Note, 0, nil, fmt.Sprintf("%s gives the unit %q, but the cells are of type %s", where, spelled, c.Column.Type), "")
		}
	case !ok:
		c.Column.UnitSource = spelled
		c.find("unit-unknown", genesis.Warn, 0, nil, fmt.Sprintf("%s gives the unit %q, which is not understood", where, spelled), "state it in the recipe as a UCUM code: unit: kW")
	default:
		c.Column.Unit, c.Column.UnitSource = code, spelled
		c.say("unit", fmt.Sprintf("%s says %q", where, spelled))
	}
}

// meaning decides what the column is about.
func (c *decision) meaning() {
	switch {
	case c.person():
	case c.Column.Type.Textual():
		c.molecule()
	case c.Column.Type.Numeric():
		c.place()
	}
}

// molecule recognises SMILES and formulas. A word may be both, or a word:
// content must show bonds or counts, or the name must say what it is.
func (c *decision) molecule() {
	n := c.counts[cWord]
	if n < 3 && !c.named("smiles", "formula") {
		return
	}
	smiles := c.named("smiles", "smi") || strings.HasSuffix(c.label, "smiles")
	formula := c.named("formula", "composition", "formulas", "compound", "stoichiometry")
	switch {
	case smiles && n > 0 && c.flagged[fSmiles]*3 > c.present(), c.most(fSmiles) && !formula && c.flagged[fBonds]*2 > n:
		c.Column.Semantic = genesis.SMILES
		c.say("semantic", fmt.Sprintf("%s of %s have the syntax of SMILES", comma(c.flagged[fSmiles]), cells(c.present())))
		c.invalid(fSmiles, "SMILES")
	case c.most(fFormula) && (formula || c.flagged[fCounts]*2 > n && c.sketched() > 10 && !c.idName()):
		c.Column.Semantic = genesis.Formula
		c.say("semantic", fmt.Sprintf("%s of %s are made of element symbols and counts", comma(c.flagged[fFormula]), cells(c.present())))
		c.invalid(fFormula, "chemical formulas")
	}
}

// sketched is the number of distinct cells, as far as is known.
func (c *decision) sketched() int64 { return c.sketch.distinct() + int64(len(c.words.list)) }

// invalid reports the cells that lack what the column's meaning asks for.
func (c *decision) invalid(f flag, what string) {
	bad := c.present() - c.flagged[f]
	if bad == 0 {
		return
	}
	at := &c.lacking[0]
	if f == fFormula {
		at = &c.lacking[1]
	}
	c.find("bad-"+strings.ToLower(strings.Fields(what)[0]), genesis.Warn, bad, at, fmt.Sprintf("%s in a column of %s do not have their syntax; they are kept as they are", cells(bad), what), "")
}

// place recognises latitudes, longitudes and directions, by name and range.
func (c *decision) place() {
	lo, hi, ok := c.rest.lo, c.rest.hi, c.rest.ok
	if !ok || c.Column.Unit != "" && c.Column.Unit != "deg" {
		return
	}
	within := func(a, b float64) bool { return lo >= a && hi <= b }
	tell := func(s genesis.Semantic) {
		c.Column.Semantic = s
		c.say("semantic", fmt.Sprintf("the name says so, and all values lie between %s and %s", number(lo), number(hi)))
	}
	direction := c.named("direction", "dir", "wdir", "azimuth", "azimut", "bearing", "heading", "aspect", "winddir", "wd", "phase") ||
		strings.HasPrefix(c.label, "wd") && strings.Trim(c.label[2:], "0123456789m") == "" || strings.HasSuffix(c.label, "direction")
	switch {
	case c.named("lat", "latitude") && within(-90, 90):
		tell(genesis.Latitude)
	case c.named("lon", "long", "lng", "longitude") && within(-180, 360):
		tell(genesis.Longitude)
	case direction && (within(0, 360) || within(-180, 180)) && (c.Column.Unit == "deg" || hi > 90):
		tell(genesis.Angle)
	}
}

// role decides what the column is to learning.
func (c *decision) role() {
	t := c.Column.Type
	n := c.present() + c.counts[cMissing] - c.missingCount()
	distinct := c.sketched()
	switch {
	case c.Column.Semantic == genesis.Person:
		c.Column.Role = genesis.Ignore
		c.say("role", "what is about a person is not learned from unless someone says so")
	case t == genesis.Timestamp || t == genesis.Date:
		c.Column.Role = genesis.Time
		c.say("role", "the rows' times")
	case t == genesis.Identifier && c.unique(distinct, n):
		c.Column.Role = genesis.ID
		c.say("role", "an identifier that never repeats")
	case t == genesis.Identifier:
		c.Column.Role = genesis.Ignore
		c.say("role", "an identifier that repeats is neither a row's identity nor a quantity; make it the group of a split if rows of one thing belong together")
	case t == genesis.Integer && c.rowNumbers(n):
		c.Column.Role = genesis.ID
		c.say("role", "the rows are counted here")
	case n == 0, c.rest.none:
		c.Column.Role = genesis.Ignore
		c.say("role", "there is nothing to learn from")
	}
}

// rowNumbers reports whether an integer column only counts or names rows.
func (c *decision) rowNumbers(n int64) bool {
	if c.order.n != n || n < 2 {
		return false
	}
	if c.order.counting() {
		name := c.label
		return c.raw.Name == "" || c.idName() || c.named("index", "rec", "record", "row", "num", "no", "nr", "number", "unnamed") || strings.HasPrefix(name, "unnamed") || strings.HasSuffix(c.raw.Name, "#")
	}
	return c.idName() && (c.order.increasing() || c.sketch.repeated() == 0)
}

// idName reports whether the name is that of an identifier.
func (c *decision) idName() bool {
	w := c.words_
	switch last := w[len(w)-1]; last {
	case "id", "ids", "uuid", "guid", "gid", "uid", "cid", "pid", "barcode", "accession", "inchikey", "cas", "isbn", "doi", "zip", "zipcode", "postcode", "serial", "usaf", "wban":
		return true
	}
	return w[0] == "id" || w[0] == "uuid" || w[0] == "gid"
}

// looks reports what is remarkable whatever the type is.
func (c *decision) looks() {
	n := c.present()
	if n > 1 && c.sketched()-int64(len(c.missing)) == 1 && !c.raw.Typed || n > 1 && c.raw.Typed && c.values.nlow == 1 && c.order.n == n {
		c.find("constant", genesis.Note, n, nil, "every cell with a value has the same one", "there is nothing to learn from it: drop: true")
	}
	if c.padded > 0 && c.Column.Type.Textual() {
		c.find("padding", genesis.Note, c.padded, nil, fmt.Sprintf("%s have spaces before or after the text, which are kept", cells(c.padded)), "")
	}
}

// typed decides a column whose source states its type.
func (c *decision) typed() {
	switch c.raw.Kind {
	case format.Int:
		c.Column.Type = genesis.Integer
		c.sentinels()
	case format.Float:
		c.Column.Type = genesis.Float
		c.sentinels()
	case format.Bool:
		c.Column.Type = genesis.Boolean
	case format.Date:
		c.Column.Type = genesis.Date
	case format.Timestamp:
		c.Column.Type = genesis.Timestamp
		c.Reading.Zone = c.raw.Zone
		if c.Reading.Zone == "" {
			c.Reading.Zone = "unstated"
		}
		c.say("zone", "the source says so")
	}
	c.say("type", "the source states it")
	if c.Decider.invalid > 0 {
		c.find("nan", genesis.Note, c.Decider.invalid, nil, fmt.Sprintf("%s are NaN and have no value", cells(c.Decider.invalid)), "")
		c.Reading.Missing = append(c.Reading.Missing, "NaN")
	}
}

// person recognises what is about people, by name and content. The message
// never shows a cell.
func (c *decision) person() bool {
	what := ""
	n := c.present()
	some := func(f flag, num, den int64) bool { return n > 0 && c.flagged[f]*den >= n*num }
	switch {
	case some(fEmail, 1, 2):
		what = "e-mail addresses, by their content"
	case some(fSSN, 1, 2):
		what = "social security numbers, by their content"
	case n == 0:
	case c.birth():
		what = "birth dates, by name and content"
	case c.Column.Type.Textual() && c.personName():
		what = "people, by the column's name"
	case c.Column.Type.Textual() && c.mayNamePerson() && some(fPerson, 1, 5):
		what = "names of people, by name and content"
	case some(fPerson, 1, 2):
		what = "names of people, by their content"
	case c.Column.Type != genesis.Float && c.named("ssn", "phone", "telephone", "mobile", "fax"):
		what = "numbers of people, by the column's name"
	}
	if what == "" {
		return false
	}
	c.Column.Semantic = genesis.Person
	c.say("semantic", what)
	f := c.find("person", genesis.Ask, n, nil, "the column seems to hold "+what+"; a person must say whether it may be published", "genesis answer NAME person:"+c.label)
	f.ID = "person:" + c.label
	return true
}

func (c *decision) birth() bool {
	t := c.Column.Type
	if t != genesis.Date && t != genesis.Timestamp && !t.Textual() && t != genesis.Integer {
		return false
	}
	return c.named("dob", "birthday", "birthdate", "dateofbirth") || c.named("birth") && c.named("date", "day", "year") || c.named("born") && (t == genesis.Date || t == genesis.Timestamp)
}

func (c *decision) personName() bool {
	last := c.words_[len(c.words_)-1]
	who := c.named("first", "last", "given", "family", "middle", "maiden", "full", "patient", "participant", "donor", "employee", "person", "student", "client", "customer", "subject")
	return c.named("surname", "firstname", "lastname", "fullname", "forename", "email", "mail", "e_mail", "ssn") && !c.named("box") || last == "name" && who
}

func (c *decision) mayNamePerson() bool {
	return c.named("name", "author", "authors", "operator", "technician", "contact", "person", "user", "employee", "patient", "participant", "investigator",
		"collector", "observer", "analyst", "owner", "student", "recorder", "by", "doctor", "physician", "subject", "pi")
}
