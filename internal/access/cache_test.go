package access

import (
	"sync"
	"testing"
)

// TestCache fills a cache of two: what is used stays, the rest goes.
func TestCache(t *testing.T) {
	c := newCache[int, string](2)
	has := func(want ...int) {
		t.Helper()
		for k := range 10 {
			wanted := false
			for _, w := range want {
				wanted = wanted || w == k
			}
			_, young := c.young[k]
			_, old := c.old[k]
			if (young || old) != wanted {
				t.Errorf("%d is there: %v", k, young || old)
			}
		}
	}
	if _, ok := c.find(1); ok || c.len() != 0 {
		t.Error("an empty cache holds something")
	}
	c.put(1, "one")
	c.put(2, "two")
	has(1, 2)
	c.put(3, "three") // 1 and 2 are of the older generation now
	has(1, 2, 3)
	if v, ok := c.find(1); !ok || v != "one" {
		t.Errorf("1 is %q, %v", v, ok)
	}
	c.put(4, "four") // 1 was used, 2 was not
	has(1, 3, 4)
	if v, ok := c.find(2); ok || v != "" {
		t.Errorf("2 is %q, %v", v, ok)
	}
	c.drop(1)
	c.drop(4)
	has(3)
	if c.len() != 1 {
		t.Errorf("it holds %d", c.len())
	}
	c.put(3, "drei") // beside what the older generation has
	if v, ok := c.find(3); !ok || v != "drei" {
		t.Errorf("3 is %q, %v", v, ok)
	}
	c.put(5, "five")
	c.put(6, "six")
	c.put(7, "seven")
	c.clear()
	has()
}

// TestWhatIfLeavesTheQuestion changes the facts of a question in mind: the question
// itself stays as it was.
func TestWhatIfLeavesTheQuestion(t *testing.T) {
	q := question{sources: make([]facts, 1)}
	after := q.change(func(f *facts) { f.outside = true })
	if !after.target.outside || !after.sources[0].outside || q.target.outside || q.sources[0].outside {
		t.Errorf("%+v becomes %+v", q, after)
	}
}

func TestCacheIsShared(t *testing.T) {
	c := newCache[int, int](8)
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for i := range 2000 {
				k := (i*7 + g) % 40
				if v, ok := c.find(k); ok && v != k {
					t.Errorf("%d is %d", k, v)
				}
				c.put(k, k)
				if i%50 == 0 {
					c.drop(k)
				}
				if i%500 == 0 {
					c.clear()
				}
			}
		})
	}
	all.Wait()
	if c.len() > 16 {
		t.Errorf("it holds %d", c.len())
	}
}
