package main

import "testing"

func TestVerdict(t *testing.T) {
	want := []int{3, 1, 0, 2}
	for _, test := range []struct {
		got  []int
		want string
	}{
		{[]int{3, 1, 0, 2}, "**exact**"},
		{[]int{3, 1, 2, 0}, "order differs"},
		{[]int{3, 1}, "2 rows lost"},
		{[]int{3, 1, 1, 0, 2, 3}, "2 rows repeated"},
		{[]int{3, 1, 1, 0}, "1 rows lost, 1 rows repeated"},
	} {
		if got := verdict(want, test.got); got != test.want {
			t.Errorf("%v: %q, want %q", test.got, got, test.want)
		}
	}
}

func TestAnEpochOfOtherRowsIsNoMeasurement(t *testing.T) {
	w := written{Rows: 10, X: 3, Y: 4}
	if err := w.same(oneEpoch{Rows: 10, X: 3.01, Y: 4}); err != nil {
		t.Error(err)
	}
	for _, e := range []oneEpoch{{Rows: 9, X: 3, Y: 4}, {Rows: 10, X: 3.2, Y: 4}, {Rows: 10, X: 3, Y: 3.8}} {
		if w.same(e) == nil {
			t.Errorf("%+v passes for %+v", e, w)
		}
	}
}

func TestStatusBytes(t *testing.T) {
	const status = "Name:\tgenesis\nVmHWM:\t  99 kB\nRssAnon:\t    1234 kB\nRssFile:\t       8 kB\n"
	if got := statusBytes(status, "RssAnon:"); got != 1234<<10 {
		t.Errorf("got %d", got)
	}
	if got := statusBytes(status, "RssShmem:"); got != 0 {
		t.Errorf("a line that is not there: %d", got)
	}
}
