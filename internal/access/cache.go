package access

import "sync"

// cache is a bounded map. It keeps two generations: what was used since the
// younger one began, and what was used before. When the younger one is full, the
// older is dropped. So at most twice size entries are held, and what is in use
// stays.
type cache[K comparable, V any] struct {
	mu         sync.RWMutex
	size       int
	young, old map[K]V
}

func newCache[K comparable, V any](size int) *cache[K, V] {
	return &cache[K, V]{size: size, young: map[K]V{}}
}

func (c *cache[K, V]) find(k K) (V, bool) {
	c.mu.RLock()
	v, young := c.young[k]
	was, old := c.old[k]
	c.mu.RUnlock()
	if young || !old {
		return v, young
	}
	c.put(k, was)
	return was, true
}

func (c *cache[K, V]) put(k K, v V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.young) >= c.size {
		c.old, c.young = c.young, map[K]V{}
	}
	c.young[k] = v
}

func (c *cache[K, V]) drop(k K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.young, k)
	delete(c.old, k)
}

func (c *cache[K, V]) len() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.young) + len(c.old)
}
