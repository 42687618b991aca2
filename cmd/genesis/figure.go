package main

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/opengenesis/genesis"
)

// count writes a number of things: 9,568.
func count(n int64) string { return humanize.Comma(n) }

// bytesText writes a number of bytes: 1.2 MiB.
func bytesText(n int64) string { return humanize.IBytes(uint64(max(n, 0))) }

// number writes a value with at most five significant digits.
func number(v float64) string {
	if v == math.Trunc(v) && math.Abs(v) < 1e7 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 5, 64)
}

// score writes a metric with four significant digits.
func score(v float64) string {
	if v == 0 {
		return "0" // also −0
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

// seconds writes how long something took: 12.5 s, 3m20s.
func seconds(s float64) string {
	if s < 60 {
		return strconv.FormatFloat(s, 'f', 1, 64) + " s"
	}
	return (time.Duration(s) * time.Second).String()
}

// percent writes a share: 12.5 %.
func percent(share float64) string {
	return strconv.FormatFloat(100*share, 'f', 1, 64) + " %"
}

func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04")
}

// plural writes "1 row", "2 rows".
func plural(n int64, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return count(n) + " " + one + "s"
}

var bars = []rune("▁▂▃▄▅▆▇█")

// histogramWidth is the most bars a histogram has.
const histogramWidth = 12

// histogram draws bins as bars; an empty bin is a blank.
func histogram(bins []genesis.Bin) string {
	sums := merge(bins, histogramWidth)
	var most int64
	for _, n := range sums {
		most = max(most, n)
	}
	if most == 0 {
		return ""
	}
	var b strings.Builder
	for _, n := range sums {
		if n <= 0 { // below zero counts only who lies: of a copy its node says so
			b.WriteByte(' ')
			continue
		}
		b.WriteRune(bars[int(float64(n)/float64(most)*float64(len(bars)-1))])
	}
	return b.String()
}

// merge adds neighbouring bins up until there are at most n.
func merge(bins []genesis.Bin, n int) []int64 {
	if len(bins) == 0 {
		return nil
	}
	n = min(n, len(bins))
	sums := make([]int64, n)
	for i, b := range bins {
		sums[i*n/len(bins)] += b.Count
	}
	return sums
}

// rangeText writes from where to where the values of a column go.
func rangeText(c genesis.ColumnProfile) string {
	switch {
	case c.Min != nil && c.Max != nil:
		return number(*c.Min) + " – " + number(*c.Max)
	case c.First != "" && c.Last != "":
		return c.First + " – " + c.Last
	case len(c.Top) > 0:
		return topText(c)
	case c.Lengths != nil:
		return strconv.FormatInt(c.Lengths.Min, 10) + " – " + strconv.FormatInt(c.Lengths.Max, 10) + " bytes"
	}
	return ""
}

// topText names the most frequent values.
func topText(c genesis.ColumnProfile) string {
	const shown = 3
	var names []string
	for _, v := range c.Top[:min(shown, len(c.Top))] {
		names = append(names, cut(v.Value, 20))
	}
	text := strings.Join(names, ", ")
	if c.Distinct > shown {
		text += ", … (" + count(c.Distinct) + " values)"
	}
	return text
}
