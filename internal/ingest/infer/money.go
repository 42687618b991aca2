package infer

import (
	"bytes"
	"fmt"

	"github.com/opengenesis/genesis"
)

var currencies = [][]byte{[]byte("$"), []byte("€"), []byte("£"), []byte("¥"), []byte("₹")}

// moneyLike recognises amounts as accounts have them: $1,234.56, -12 €, ($400.57)
// and, for what is owed, (400.57).
func moneyLike(b []byte) bool {
	owed := len(b) > 2 && b[0] == '(' && b[len(b)-1] == ')'
	if owed {
		b = b[1 : len(b)-1]
	}
	b = bytes.TrimPrefix(b, []byte("-"))
	signed := false
	for _, sign := range currencies {
		if s := bytes.TrimSuffix(bytes.TrimPrefix(b, sign), sign); len(s) == len(b)-len(sign) {
			b, signed = trim(s), true
		}
	}
	if len(b) == 0 || len(b) > maxNumber || !signed && (!owed || !bytes.ContainsAny(b, ".,")) {
		return false
	}
	var c cell
	return c.readings(b)
}

// money reports amounts that are no numbers to us.
func (c *decision) money() {
	n := c.flagged[fMoney]
	numbers := c.counts[cInt] + c.counts[cFloat] + c.counts[cGrouped]
	if n == 0 || n*2 < c.present() && !few(c.present()-n-numbers, c.present()) {
		return
	}
	c.find("money", genesis.Warn, n, c.seen[cWord], fmt.Sprintf("%s look like amounts of money with a sign of currency or brackets; they are kept as text", cells(n)), "write plain numbers in the source, and the currency into the header")
}
