package edge

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics are what a node measures of itself, in a registry of its own. A nil
// *Metrics measures nothing.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	sent     *prometheus.CounterVec
	refused  *prometheus.CounterVec
	inFlight prometheus.Gauge
}

// NewMetrics returns metrics of requests, of the Go runtime and of the process.
func NewMetrics() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "genesis_http_requests_total",
			Help: "Requests by route, method and class of status; cut: the answer broke off."}, []string{"route", "method", "class"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "genesis_http_request_seconds",
			Help: "Time from a request's headers to the end of its answer.", Buckets: prometheus.ExponentialBuckets(.0005, 4, 10)}, []string{"route"}),
		sent: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "genesis_http_sent_bytes_total",
			Help: "Bytes of answers, without headers."}, []string{"route"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "genesis_http_refused_total",
			Help: "Requests refused to keep others fast: rate, concurrency, streams or drain."}, []string{"limit"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{Name: "genesis_http_in_flight", Help: "Requests being answered."}),
	}
	m.registry.MustRegister(m.requests, m.seconds, m.sent, m.refused, m.inFlight,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Gauge adds a figure that read returns when it is asked for: runs in the queue,
// how far the log is behind. read must be quick. It panics for a name that is
// taken or none.
func (m *Metrics) Gauge(name, help string, read func() float64) {
	if m != nil {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, read))
	}
}

// Handler answers with the metrics, for Prometheus. They tell what a node does
// all day, so it belongs on an address of its own or on the home's socket.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second})
}

// enter counts a request in; what it returns counts it out.
func (m *Metrics) enter(x *exchange) func(method string, took time.Duration, whole bool) {
	if m == nil {
		return func(string, time.Duration, bool) {}
	}
	m.inFlight.Inc()
	return func(method string, took time.Duration, whole bool) {
		m.inFlight.Dec()
		route := routeOf(x.pattern)
		m.requests.WithLabelValues(route, methodOf(method), class(x.status(), whole)).Inc()
		m.seconds.WithLabelValues(route).Observe(took.Seconds())
		m.sent.WithLabelValues(route).Add(float64(x.out.bytes))
	}
}

func (m *Metrics) refuse(limit string) {
	if m != nil {
		m.refused.WithLabelValues(limit).Inc()
	}
}

// class is the first digit of a status: "2xx".
func class(status int, whole bool) string {
	if !whole || status < 100 || status > 599 {
		return "cut"
	}
	return string(rune('0'+status/100)) + "xx"
}

// methodOf is a method that exists; strangers cannot make up metrics.
func methodOf(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "other"
}
