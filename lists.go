package genesis

import "fmt"

// deepest is how deep lists and objects may lie in each other.
const deepest = 1000

// CheckLists reports whether JSON from elsewhere has a list of more than each elements, or
// lists of more than all together, before it takes memory: "{}," is three bytes, and an
// empty struct hundreds. That the text is JSON is for whoever reads it to say. Errors:
// Invalid.
func CheckLists(text []byte, each, all int) error {
	var open []int // commas of the lists that are open; -1 for objects
	total := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i = endOfString(text, i+1)
		case '[', '{':
			if len(open) == deepest {
				return tooMuch(fmt.Sprintf("it lies more than %d deep", deepest))
			}
			open = append(open, map[byte]int{'[': 0, '{': -1}[text[i]])
		case ']', '}':
			open = open[:max(len(open)-1, 0)]
		case ',':
			if len(open) == 0 || open[len(open)-1] < 0 {
				continue
			}
			open[len(open)-1]++
			if total++; open[len(open)-1] >= each || total >= all {
				return tooMuch(fmt.Sprintf("it has a list of more than %d elements, or lists of more than %d together", each, all))
			}
		}
	}
	return nil
}

// endOfString is the place of the quote that ends a string, or the end of the text.
func endOfString(text []byte, i int) int {
	for ; i < len(text) && text[i] != '"'; i++ {
		if text[i] == '\\' {
			i++
		}
	}
	return i
}

func tooMuch(msg string) error { return &Error{Op: "read answer", Kind: Invalid, Msg: msg} }
