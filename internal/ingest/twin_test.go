package ingest

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

// swapMarks writes a number with points as one with commas, and the other way.
var swapMarks = strings.NewReplacer(".", ",", ",", ".")

// twins is one column of numbers with points.
type twins struct {
	name  string
	cells []string
}

// twinColumns are columns of n numbers of every kind, written with points.
func twinColumns(r *rand.Rand, n int) []twins {
	codes := []string{"-99.9", "-99.90", "-999.9", "9999.9", "-9999", "-9999.0", "99999.99", "9.96921e36", "1e+20", "-3.4028234663852886e38"}
	decimals := func() string { return strconv.FormatFloat(r.Float64()*20, 'f', 1+r.IntN(4), 64) }
	grouped := func(whole bool) string {
		s := fmt.Sprintf("%d,%03d", 1+r.IntN(40), r.IntN(1000))
		if whole {
			return "1," + strings.Repeat("0", 3-len(strconv.Itoa(r.IntN(9)+1))) + s[len(s)-1:] + s[len(s)-4:]
		}
		return s + fmt.Sprintf(".%d", r.IntN(100))
	}
	mixed := func(common func() string, some ...string) []string {
		out := make([]string, n)
		for i := range out {
			if out[i] = common(); len(some) > 0 && r.IntN(12) == 0 {
				out[i] = some[r.IntN(len(some))]
			}
		}
		return out
	}
	var cols []twins
	for _, code := range codes {
		cols = append(cols, twins{"sentinel " + code, mixed(decimals, code)})
	}
	return append(cols,
		twins{"whole_sentinel", mixed(func() string { return strconv.Itoa(r.IntN(90)) }, "-9999", "-99.9")},
		twins{"coded_thousands", mixed(func() string { return grouped(false) }, "-9,999,999.9", "12.5")},
		twins{"word", mixed(decimals, "n.b.")},
		twins{"words", mixed(decimals, "n.b.", "offline", "-9999.9")},
		twins{"bad", append([]string{"broken"}, mixed(decimals)[1:]...)},
		twins{"qualified", mixed(decimals, "<0.05", ">20.5", "~3", "<1e-3", "-999.9")},
		twins{"bounds", mixed(decimals, ">9999.9")},
		twins{"bounds_and_codes", mixed(decimals, ">9999.9", "9999.9")},
		twins{"limits", mixed(func() string { return "<" + decimals() }, "5")},
		twins{"exponents", mixed(func() string { return decimals() + "e-3" }, "1e5", "2E4", "-99.9")},
		twins{"powers", mixed(func() string { return fmt.Sprintf("1e%d", r.IntN(8)) }, "2.5")},
		twins{"thousands", mixed(func() string { return grouped(false) }, "12", "0.5")},
		twins{"whole_thousands", mixed(func() string { return grouped(true) }, "12")},
		twins{"zeros", mixed(func() string { return fmt.Sprintf("0%.1f", 1+r.Float64()*8) }, "0011")},
		twins{"units [kW]", mixed(func() string { return decimals() + " kW" }, "1200 W", "1.5 MW", "-999.9 kW")},
		twins{"few_units", mixed(decimals, "<0.05 mg/L")},
		twins{"huge", mixed(decimals, "1.5e400")},
	)
}

func twinFile(cols []twins, spell func(string) string) string {
	var b strings.Builder
	for i := -1; i < len(cols[0].cells); i++ {
		for j, c := range cols {
			cell := c.name
			if i >= 0 {
				cell = spell(c.cells[i])
			}
			if j > 0 {
				b.WriteByte(';')
			}
			b.WriteString(cell)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// spellComma writes a cell of numbers with a decimal comma.
func spellComma(cell string) string {
	if cell == "n.b." {
		return cell
	}
	return swapMarks.Replace(cell)
}

// TestDecimalCommasAreTwins: a table with decimal commas holds what it holds
// with points, and what is announced of either happens.
func TestDecimalCommasAreTwins(t *testing.T) {
	env := testEnv(t)
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 7))
		cols := twinColumns(r, 60+r.IntN(200))
		points := prepare(t, env, nil, genesis.PrepareOptions{}, raw("points.csv", twinFile(cols, func(s string) string { return s })))
		commas := prepare(t, env, nil, genesis.PrepareOptions{}, raw("commas.csv", twinFile(cols, spellComma)))
		p, c := points.Manifest.Tables[0], commas.Manifest.Tables[0]
		if len(p.Columns) != len(c.Columns) {
			t.Fatalf("seed %d: %d columns with points, %d with commas", seed, len(p.Columns), len(c.Columns))
		}
		for i, col := range p.Columns {
			if got := c.Columns[i]; got.Digest != col.Digest {
				t.Errorf("seed %d, column %s: %s with points and missing %q, %s with commas and missing %q", seed, col.Name, col.Type, col.Missing, got.Type, got.Missing)
			}
		}
		if diff := cmp.Diff(announced(points), announced(commas)); diff != "" {
			t.Errorf("seed %d: findings with points and commas differ (-points +commas):\n%s", seed, diff)
		}
		sentinelsGone(t, env, points)
		sentinelsGone(t, env, commas)
	}
}

// announced lists the findings about columns, with numbers spelled with points.
func announced(res *Result) []string {
	var out []string
	for _, f := range res.Findings {
		if f.Column != "" && f.Code != "unit-unknown" {
			out = append(out, fmt.Sprintf("%s %d", strings.ReplaceAll(f.ID, ",", "."), f.Count))
		}
	}
	return out
}

// sentinelsGone checks that what is announced to mean no value is no value: the
// number does not stand in the prepared column, but behind a mark.
func sentinelsGone(t *testing.T, env Env, res *Result) {
	t.Helper()
	for _, f := range res.Findings {
		if f.Code != "sentinel" {
			continue
		}
		text := f.ID[strings.LastIndexByte(f.ID, ':')+1:]
		code, err := strconv.ParseFloat(strings.ReplaceAll(text, ",", "."), 64)
		if err != nil {
			t.Fatal(err)
		}
		nulls := int64(0)
		eachBatch(t, env, res, res.Manifest.Tables[0].Name, func(b *format.Batch) {
			at, mark := -1, -1
			for j, c := range res.Manifest.Tables[0].Columns {
				if c.Name == f.Column {
					at = j
				}
				if c.QualifierOf == f.Column {
					mark = j
				}
			}
			for i := range b.Rows {
				v := &b.Cols[at]
				switch {
				case v.Null(i):
					nulls++
				case mark >= 0 && !b.Cols[mark].Null(i):
				case v.Kind == format.Float && v.Floats[i] == code, v.Kind == format.Int && float64(v.Ints[i]) == code:
					t.Fatalf("column %s still holds %s, although %q", f.Column, text, f.Message)
				}
			}
		})
		if nulls < f.Count {
			t.Errorf("column %s lacks %d values, although %q", f.Column, nulls, f.Message)
		}
	}
}
