package nn

// Matrix is Rows×Cols numbers, row-major, without padding.
type Matrix struct {
	Rows, Cols int
	Data       []float32
}

// NewMatrix returns a matrix of zeros.
func NewMatrix(rows, cols int) Matrix {
	return Matrix{Rows: rows, Cols: cols, Data: make([]float32, rows*cols)}
}

// Row returns row i; it aliases the matrix.
func (m Matrix) Row(i int) []float32 { return m.Data[i*m.Cols : (i+1)*m.Cols] }

// Slice returns rows from…to−1; it aliases the matrix.
func (m Matrix) Slice(from, to int) Matrix {
	return Matrix{Rows: to - from, Cols: m.Cols, Data: m.Data[from*m.Cols : to*m.Cols]}
}

// resize returns a matrix of the given shape, in m's memory where it suffices.
// Its content is undefined.
func (m Matrix) resize(rows, cols int) Matrix {
	n := rows * cols
	if cap(m.Data) < n {
		return NewMatrix(rows, cols)
	}
	return Matrix{Rows: rows, Cols: cols, Data: m.Data[:n]}
}
