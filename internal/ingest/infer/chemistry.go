package infer

// smilesLike reports whether b has the syntax of a SMILES string (OpenSMILES
// 1.0): atoms of the organic subset or in brackets, bonds, branches and ring
// closures that balance; reactions and dots allowed. bonds says that it has
// something no word of a language has: a bond, a branch, a ring or a bracket.
func smilesLike(b []byte) (ok, bonds bool) {
	var r smiles
	for i := 0; i < len(b); {
		n := r.next(b[i:])
		if n == 0 {
			return false, false
		}
		i += n
	}
	return r.atoms > 0 && r.depth == 0 && r.rings == [2]uint64{}, r.special
}

// smiles follows the state of a SMILES string.
type smiles struct {
	depth   int
	atoms   int
	rings   [2]uint64 // open ring closures, a bit each
	special bool
	atom    bool // the last thing was an atom, a branch's end or a ring closure
}

// next takes one token and returns its length, 0 when it is none.
func (r *smiles) next(b []byte) int {
	if n := organic(b); n > 0 {
		r.atoms++
		r.atom = true
		return n
	}
	switch c := b[0]; c {
	case '[':
		return r.bracket(b)
	case '(':
		r.depth++
		r.special = true
		return yes(r.atom)
	case ')':
		r.depth--
		r.special = true
		return yes(r.depth >= 0)
	case '=', '#', '$', ':', '/', '\\', '-', '~':
		r.special = r.special || c == '=' || c == '#'
		return yes(r.atoms > 0 || c == '/' || c == '\\')
	case '.', '>':
		return yes(r.atoms > 0)
	case '%':
		if len(b) < 3 || b[1]-'0' > 9 || b[2]-'0' > 9 || !r.atom {
			return 0
		}
		r.ring(int(b[1]-'0')*10 + int(b[2]-'0'))
		return 3
	}
	if b[0]-'0' <= 9 && r.atom {
		r.ring(int(b[0] - '0'))
		return 1
	}
	return 0
}

func yes(ok bool) int {
	if ok {
		return 1
	}
	return 0
}

func (r *smiles) ring(n int) {
	r.rings[n>>6] ^= 1 << (n & 63)
	r.special = true
}

// bracket takes "[13CH3-]": isotope, element, chirality, hydrogens, charge.
func (r *smiles) bracket(b []byte) int {
	i := 1
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	n := element(b[min(i, len(b)):])
	if n == 0 && i < len(b) && (organic(b[i:]) > 0 || b[i] == '*') {
		n = 1
		if i+1 < len(b) && (b[i] == 's' && b[i+1] == 'e' || b[i] == 'a' && b[i+1] == 's') {
			n = 2
		}
	}
	if n == 0 {
		return 0
	}
	for i += n; i < len(b) && b[i] != ']'; i++ {
		c := b[i]
		if c != '@' && c != 'H' && c != '+' && c != '-' && c != ':' && c-'0' > 9 {
			return 0
		}
	}
	if i == len(b) {
		return 0
	}
	r.atoms++
	r.atom, r.special = true, true
	return i + 1
}

// organic returns the length of an atom of the organic subset at b's start.
func organic(b []byte) int {
	switch b[0] {
	case 'C':
		if len(b) > 1 && b[1] == 'l' {
			return 2
		}
		return 1
	case 'B':
		if len(b) > 1 && b[1] == 'r' {
			return 2
		}
		return 1
	case 'N', 'O', 'P', 'S', 'F', 'I', 'b', 'c', 'n', 'o', 'p', 's', '*':
		return 1
	}
	return 0
}

// elements are the symbols of the periodic table, by first letter: the second
// letters that may follow, and '.' where the letter alone is one. D is
// deuterium.
var elements = [26]string{
	0: "clgumrstu", 'B' - 'A': ".aeihkr", 'C' - 'A': ".adeflmnorsu", 'D' - 'A': ".bsy", 'E' - 'A': "rsu", 'F' - 'A': ".elmr", 'G' - 'A': "ade",
	'H' - 'A': ".efgos", 'I' - 'A': ".nr", 'K' - 'A': ".r", 'L' - 'A': "airuv", 'M' - 'A': "cdgnot", 'N' - 'A': ".abdehiop", 'O' - 'A': ".gs",
	'P' - 'A': ".abdmortu", 'R' - 'A': "abefghnu", 'S' - 'A': ".bcegimnr", 'T' - 'A': "abcehilms", 'U' - 'A': ".", 'V' - 'A': ".", 'W' - 'A': ".", 'X' - 'A': "e",
	'Y' - 'A': ".b", 'Z' - 'A': "nr",
}

// element returns the length of an element's symbol at b's start.
func element(b []byte) int {
	if len(b) == 0 || b[0] < 'A' || b[0] > 'Z' {
		return 0
	}
	seconds := elements[b[0]-'A']
	if len(b) > 1 && b[1] >= 'a' && b[1] <= 'z' {
		for i := 0; i < len(seconds); i++ {
			if seconds[i] == b[1] {
				return 2
			}
		}
	}
	if len(seconds) > 0 && seconds[0] == '.' {
		return 1
	}
	return 0
}

// formulaLike reports whether b is a chemical formula: elements with counts,
// which may be fractions, and groups in brackets. counts says that it has two
// atoms or more, or a count.
func formulaLike(b []byte) (ok, counts bool) {
	atoms, depth, digits := 0, 0, false
	for i := 0; i < len(b); {
		switch c := b[i]; {
		case c == '(' || c == '[':
			depth++
			i++
		case c == ')' || c == ']':
			if depth--; depth < 0 || atoms == 0 {
				return false, false
			}
			i++
		case c-'0' <= 9 || c == '.':
			if atoms == 0 || c == '0' && b[i-1] != '.' && b[i-1]-'0' > 9 && i+1 < len(b) && b[i+1]-'0' <= 9 {
				return false, false // S007 is a sample's number
			}
			digits = true
			i++
		default:
			n := element(b[i:])
			if n == 0 {
				return false, false
			}
			atoms++
			i += n
		}
	}
	return atoms > 0 && depth == 0, digits || atoms > 1
}
