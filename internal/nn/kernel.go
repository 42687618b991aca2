package nn

// The kernel computes C += A·Bᵀ from packed operands. A is packed in panels of
// two rows and B in panels of four, both padded with zeros: panel by panel, and
// within a panel for p = 0, 1, … the two (four) values of column p. Depth is
// padded to a multiple of four, so that the inner loop needs no bounds checks.

const (
	tileRows  = 2
	tileCols  = 4
	tileDepth = 4
	// blockRows rows of A stay in the first-level cache while a panel of B
	// passes over them.
	blockRows = 32
)

// operand is one side of a product: element (i, p) is data[i*row+p*col].
type operand struct {
	data     []float32
	rows     int
	row, col int
}

// asRows reads m's rows along the inner dimension.
func asRows(m Matrix) operand { return operand{m.Data, m.Rows, m.Cols, 1} }

// asCols reads m's columns along the inner dimension.
func asCols(m Matrix) operand { return operand{m.Data, m.Cols, 1, m.Cols} }

// packed is the memory in which operands are laid out for the kernel.
type packed struct{ a, b []float32 }

// multiply adds A·Bᵀ to c, or overwrites c with it: c is a.rows×b.rows, depth is
// the length of the inner dimension.
func (s *packed) multiply(c Matrix, a, b operand, depth int, add bool) {
	deep := (depth + tileDepth - 1) &^ (tileDepth - 1)
	s.a = pack(s.a, a, depth, deep, tileRows)
	s.b = pack(s.b, b, depth, deep, tileCols)
	if !add {
		clear(c.Data)
	}
	for i0 := 0; i0 < c.Rows; i0 += blockRows {
		i1 := min(i0+blockRows, c.Rows)
		for j := 0; j < c.Cols; j += tileCols {
			panel := s.b[j*deep : (j+tileCols)*deep]
			for i := i0; i < i1; i += tileRows {
				writeTile(c, i, j, s.a[i*deep:(i+tileRows)*deep], panel)
			}
		}
	}
}

// writeTile adds one 2×4 tile at row i and column j, cutting what sticks out.
func writeTile(c Matrix, i, j int, a, b []float32) {
	if i+tileRows <= c.Rows && j+tileCols <= c.Cols {
		at := i*c.Cols + j
		tile((*[4]float32)(c.Data[at:]), (*[4]float32)(c.Data[at+c.Cols:]), a, b)
		return
	}
	var t [2][4]float32
	tile(&t[0], &t[1], a, b)
	for r := 0; r < min(tileRows, c.Rows-i); r++ {
		out := c.Row(i + r)[j:]
		for k := range min(tileCols, len(out)) {
			out[k] += t[r][k]
		}
	}
}

// tile adds the product of a panel of two rows and a panel of four to r0, r1.
func tile(r0, r1 *[4]float32, a, b []float32) {
	var c00, c01, c02, c03, c10, c11, c12, c13 float32
	for len(a) >= 8 && len(b) >= 16 {
		x := (*[8]float32)(a)
		y := (*[16]float32)(b)
		{
			x0, x1 := x[0], x[1]
			y0 := y[0]
			c00 += x0 * y0
			c10 += x1 * y0
			y1 := y[1]
			c01 += x0 * y1
			c11 += x1 * y1
			y2 := y[2]
			c02 += x0 * y2
			c12 += x1 * y2
			y3 := y[3]
			c03 += x0 * y3
			c13 += x1 * y3
		}
		{
			x0, x1 := x[2], x[3]
			y0 := y[4]
			c00 += x0 * y0
			c10 += x1 * y0
			y1 := y[5]
			c01 += x0 * y1
			c11 += x1 * y1
			y2 := y[6]
			c02 += x0 * y2
			c12 += x1 * y2
			y3 := y[7]
			c03 += x0 * y3
			c13 += x1 * y3
		}
		{
			x0, x1 := x[4], x[5]
			y0 := y[8]
			c00 += x0 * y0
			c10 += x1 * y0
			y1 := y[9]
			c01 += x0 * y1
			c11 += x1 * y1
			y2 := y[10]
			c02 += x0 * y2
			c12 += x1 * y2
			y3 := y[11]
			c03 += x0 * y3
			c13 += x1 * y3
		}
		{
			x0, x1 := x[6], x[7]
			y0 := y[12]
			c00 += x0 * y0
			c10 += x1 * y0
			y1 := y[13]
			c01 += x0 * y1
			c11 += x1 * y1
			y2 := y[14]
			c02 += x0 * y2
			c12 += x1 * y2
			y3 := y[15]
			c03 += x0 * y3
			c13 += x1 * y3
		}
		a = a[8:]
		b = b[16:]
	}
	r0[0] += c00
	r0[1] += c01
	r0[2] += c02
	r0[3] += c03
	r1[0] += c10
	r1[1] += c11
	r1[2] += c12
	r1[3] += c13
}

// pack lays o out in panels of the given height in dst's memory, grown as
// needed, padded with zeros to deep columns and whole panels.
func pack(dst []float32, o operand, depth, deep, height int) []float32 {
	panels := (o.rows + height - 1) / height
	if n := panels * height * deep; cap(dst) < n {
		dst = make([]float32, n)
	} else {
		dst = dst[:n]
	}
	for q := range panels {
		panel := dst[q*height*deep : (q+1)*height*deep]
		if (q+1)*height > o.rows || depth != deep {
			clear(panel)
		}
		packPanel(panel, o, q*height, depth, height)
	}
	return dst
}

func packPanel(panel []float32, o operand, first, depth, height int) {
	if first+height > o.rows {
		packEdge(panel, o, first, depth, height)
		return
	}
	at := first * o.row
	switch {
	case height == 4 && o.col == 1:
		s0, s1, s2, s3 := o.data[at:at+depth], o.data[at+o.row:], o.data[at+2*o.row:], o.data[at+3*o.row:]
		s1, s2, s3 = s1[:len(s0)], s2[:len(s0)], s3[:len(s0)]
		for p, v := range s0 {
			d := (*[4]float32)(panel[4*p:])
			d[0], d[1], d[2], d[3] = v, s1[p], s2[p], s3[p]
		}
	case height == 2 && o.col == 1:
		s0, s1 := o.data[at:at+depth], o.data[at+o.row:]
		s1 = s1[:len(s0)]
		for p, v := range s0 {
			d := (*[2]float32)(panel[2*p:])
			d[0], d[1] = v, s1[p]
		}
	case height == 4 && o.row == 1:
		for p := range depth {
			*(*[4]float32)(panel[4*p:]) = [4]float32(o.data[at+p*o.col:])
		}
	case height == 2 && o.row == 1:
		for p := range depth {
			*(*[2]float32)(panel[2*p:]) = [2]float32(o.data[at+p*o.col:])
		}
	default:
		packEdge(panel, o, first, depth, height)
	}
}

func packEdge(panel []float32, o operand, first, depth, height int) {
	for r := 0; r < height && first+r < o.rows; r++ {
		at := (first + r) * o.row
		for p := range depth {
			panel[p*height+r] = o.data[at+p*o.col]
		}
	}
}
