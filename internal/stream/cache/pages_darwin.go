package cache

func largePages([]byte) {}
