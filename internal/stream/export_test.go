package stream

// BoundText bounds the texts of a batch for a test.
func BoundText(n int64) (restore func()) {
	was := maxText
	maxText = n
	return func() { maxText = was }
}
