package infer

import (
	"bytes"
	"strings"
)

// emailLike reports whether b has the look of an e-mail address.
func emailLike(b []byte) bool {
	at := bytes.IndexByte(b, '@')
	if at < 1 || len(b) > 254 || bytes.IndexByte(b, ' ') >= 0 || bytes.IndexByte(b[at+1:], '@') >= 0 {
		return false
	}
	dot := bytes.LastIndexByte(b[at+1:], '.')
	if dot < 1 || len(b)-at-2-dot < 2 {
		return false
	}
	for _, c := range b[at+1:] {
		if !isAlnum(c) && c != '.' && c != '-' && c < 0x80 {
			return false
		}
	}
	return true
}

func isAlnum(c byte) bool { return c-'0' <= 9 || (c|0x20) >= 'a' && (c|0x20) <= 'z' }

// ssnLike recognises a United States social security number.
func ssnLike(b []byte) bool {
	if len(b) != 11 || b[3] != '-' || b[6] != '-' {
		return false
	}
	for i, c := range b {
		if i != 3 && i != 6 && c-'0' > 9 {
			return false
		}
	}
	return true
}

// codeLike recognises one token with letters and digits: BACE_17, N12A1.
func codeLike(b []byte) bool {
	if len(b) > 40 {
		return false
	}
	digit := false
	for _, c := range b {
		switch {
		case c-'0' <= 9:
			digit = true
		case isAlnum(c), c == '-', c == '_', c == '.', c == ':', c == '/', c == '#':
		default:
			return false
		}
	}
	return digit
}

// geneLike recognises what a spreadsheet makes of the genes MARCH1, SEPT2, DEC1
// (Ziemann et al., Genome Biology 17:177, 2016), and those genes themselves.
func geneLike(b []byte) bool {
	if len(b) > 8 {
		return false
	}
	if bytes.IndexByte(b, '-') < 0 && (len(b) < 4 || b[len(b)-1]-'0' > 9) {
		return false
	}
	s := strings.ToUpper(string(b))
	if day, month, ok := strings.Cut(s, "-"); ok {
		if strings.Trim(day, "0123456789") != "" {
			day, month = month, day
		}
		return day != "" && len(day) <= 2 && strings.Trim(day, "0123456789") == "" && geneMonth(month)
	}
	name := strings.TrimRight(s, "0123456789")
	return name != s && (name == "MARCH" || name == "SEPT" || name == "DEC" || name == "OCT" || name == "MARC")
}

func geneMonth(m string) bool {
	switch m {
	case "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC":
		return true
	}
	return false
}

// personLike recognises two to four capitalised words, one of them a given
// name, or a title or "Surname, Given".
func personLike(b []byte) bool {
	if len(b) < 5 || len(b) > 60 || !capitalised(b) {
		return false
	}
	fields := strings.FieldsFunc(string(b), func(r rune) bool { return r == ' ' || r == ',' })
	if len(fields) < 2 || len(fields) > 4 {
		return false
	}
	given := false
	for i, f := range fields {
		if strings.ContainsAny(f, "()/_:;=+*#@") {
			return false
		}
		f = strings.TrimSuffix(f, ".")
		given = given || givenNames[strings.ToLower(f)] || i == 0 && titles[f]
	}
	return given
}

// capitalised reports whether b is of several words that all begin with a
// capital, or with a letter beyond ASCII, and holds no digit.
func capitalised(b []byte) bool {
	first, words := true, 0
	for _, c := range b {
		switch {
		case c == ' ' || c == ',':
			first = true
			continue
		case c-'0' <= 9, first && c < 0x80 && (c < 'A' || c > 'Z'):
			return false
		case first:
			words++
		}
		first = false
	}
	return words > 1
}

var titles = map[string]bool{"Dr": true, "Mr": true, "Mrs": true, "Ms": true, "Prof": true, "Professor": true}

// givenNames are common given names of many countries: enough that in a column
// of people's names some cells are recognised.
var givenNames = map[string]bool{}

func init() {
	for _, n := range strings.Fields(`james mary john patricia robert jennifer michael linda william elizabeth david barbara richard susan joseph
		jessica thomas sarah charles karen christopher nancy daniel lisa matthew betty anthony margaret mark sandra donald ashley steven kimberly paul emily
		andrew donna joshua michelle kenneth carol kevin amanda brian melissa george deborah edward stephanie ronald rebecca timothy sharon jason laura jeffrey
		cynthia ryan kathleen jacob amy gary angela nicholas shirley eric anna jonathan brenda stephen pamela larry emma justin nicole scott helen brandon
		samantha benjamin katherine samuel christine gregory debra frank rachel alexander carolyn raymond janet patrick catherine jack maria dennis heather jerry
		diane tyler ruth aaron julie jose olivia adam joyce nathan virginia henry victoria peter kelly douglas lauren zachary christina kyle joan walter evelyn
		juan carlos luis jorge pedro miguel manuel francisco sofia lucia carmen ana isabel pablo diego alejandro hans karl klaus jurgen wolfgang heinrich fritz
		stefan andreas matthias ulrich petra ursula monika sabine heike jean pierre marie jacques michel nathalie sophie claire francois luc giovanni giuseppe marco
		luca francesca giulia paolo antonio roberto ivan dmitri sergei vladimir natalia olga elena tatiana yuki hiroshi kenji takashi akira haruto sakura yoko wei
		ming jing hui lei xin yan fang mohammed muhammad ahmed ali fatima hassan omar aisha ibrahim yusuf raj priya amit sanjay anil sunita ravi deepak vijay
		arjun lars erik bjorn ingrid astrid sven nils katarzyna piotr agnieszka tomasz jan janusz kofi kwame chinedu ngozi amara tunde grace alice bob eve ada alan
		albert isaac leonhard kurt emmy lise niels max nora oliver liam noah mia ava lily oscar hugo felix leo theo rosa clara ella joao rui tiago beatriz ines`) {
		givenNames[n] = true
	}
}
