package parquet

// Numbers of the Parquet format
// (https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift).

const magic = "PAR1"

// physical is how a column's values are stored.
type physical int32

const (
	typeBoolean physical = iota
	typeInt32
	typeInt64
	typeInt96
	typeFloat
	typeDouble
	typeByteArray
	typeFixed
)

// encoding is how the values of a page are written.
type encoding int32

const (
	encPlain           encoding = 0
	encPlainDictionary encoding = 2
	encRLE             encoding = 3
	encBitPacked       encoding = 4
	encDelta           encoding = 5
	encDeltaLength     encoding = 6
	encDeltaBytes      encoding = 7
	encDictionary      encoding = 8
	encByteStreamSplit encoding = 9
)

// codec is how a page is compressed.
type codec int32

const (
	codecNone codec = iota
	codecSnappy
	codecGzip
	codecLZO
	codecBrotli
	codecLZ4 // Hadoop framing, deprecated
	codecZstd
	codecLZ4Raw
)

var codecNames = [...]string{"none", "snappy", "gzip", "lzo", "brotli", "lz4", "zstd", "lz4_raw"}

// repetition says whether a node is required, optional or repeated.
type repetition int32

const (
	required repetition = iota
	optional
	repeated
)

type pageType int32

const (
	pageData pageType = iota
	pageIndex
	pageDictionary
	pageDataV2
)

// converted is the older way of saying what a physical type stands for.
type converted int32

const (
	convNone            converted = -1
	convUTF8            converted = 0
	convMap             converted = 1
	convEnum            converted = 4
	convDecimal         converted = 5
	convDate            converted = 6
	convTimestampMillis converted = 9
	convTimestampMicros converted = 10
	convUint8           converted = 11
	convUint64          converted = 14
	convInt64           converted = 18
	convJSON            converted = 19
)

// statistics are the bounds of a page's or a chunk's values, in plain encoding;
// nil where they are not known.
type statistics struct {
	nulls    int64
	min, max []byte
}

func (s *statistics) write(w *thriftWriter) {
	w.i64(3, s.nulls)
	if s.max != nil {
		w.binary(5, s.max)
		w.binary(6, s.min)
	}
}
