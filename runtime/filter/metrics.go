package filter

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"aimrtrpc/runtime/rpc"
)

// MaxSeries limits how many combinations of side, module, function and status are counted apart; the rest counts under OverflowStatus.
const MaxSeries = 4096

// OverflowStatus is the status of what is counted when MaxSeries is reached; its module and function are empty.
const OverflowStatus = "other"

// defaultBoundaries is how many boundaries a histogram has when none are configured: 1, 2, 4 ... 2^31 us.
const defaultBoundaries = 32

// seriesKey is what counters are kept by.
type seriesKey struct {
	side                     Side
	module, function, status string
}

// Series are the counters of one combination.
type Series struct {
	Side          string   `json:"side"`
	Module        string   `json:"module_name"`
	Function      string   `json:"func_name"`
	Status        string   `json:"status"` // text of the status
	Calls         uint64   `json:"invoke_num"`
	RequestBytes  uint64   `json:"req_size"` // of messages that are encoded
	ResponseBytes uint64   `json:"rsp_size"`
	Microseconds  float64  `json:"time_cost_us"` // in all
	Buckets       []uint64 `json:"time_cost"`    // calls up to each boundary, the last above all
}

// Metrics counts calls by module, function and status. It may be used from any goroutine.
type Metrics struct {
	boundaries []float64

	mu     sync.Mutex // guards series
	series map[seriesKey]*Series
}

// NewMetrics makes counters whose histograms have the boundaries, in microseconds and ascending; none means 1, 2, 4 ... 2^31.
func NewMetrics(boundaries []float64) (*Metrics, error) {
	if len(boundaries) == 0 {
		for i := range defaultBoundaries {
			boundaries = append(boundaries, float64(uint64(1)<<i))
		}
	}
	for i := 1; i < len(boundaries); i++ {
		if !(boundaries[i] > boundaries[i-1]) {
			return nil, fmt.Errorf("histogram boundary %v does not come after %v", boundaries[i], boundaries[i-1])
		}
	}
	return &Metrics{boundaries: slices.Clone(boundaries), series: map[seriesKey]*Series{}}, nil
}

// Filter counts the calls of one side.
func (m *Metrics) Filter(side Side) rpc.Filter {
	return func(ctx context.Context, call *rpc.Call, next rpc.Next) {
		began := time.Now()
		call.OnFinish(func(call *rpc.Call) { m.add(side, call, time.Since(began)) })
		next(ctx, call)
	}
}

func (m *Metrics) add(side Side, call *rpc.Call, took time.Duration) {
	key := seriesKey{side, call.From.Module, call.Method.Name(), call.Status().Message()}
	if side == Server {
		key.module = call.Method.Owner().Module
	}
	request, response := encodedBytes(call.Request), encodedBytes(call.Response())
	us := float64(took) / float64(time.Microsecond)
	at, _ := slices.BinarySearch(m.boundaries, us) // on a boundary or between two: the first bucket that reaches so far
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.of(key)
	s.Calls++
	s.RequestBytes += request
	s.ResponseBytes += response
	s.Microseconds += us
	s.Buckets[at]++
}

// of finds the counters of a key; mu is held.
func (m *Metrics) of(key seriesKey) *Series {
	s, ok := m.series[key]
	if !ok && len(m.series) >= MaxSeries-2 { // one more for each side
		key = seriesKey{side: key.side, status: OverflowStatus}
		s, ok = m.series[key]
	}
	if !ok {
		s = &Series{Side: key.side.String(), Module: key.module, Function: key.function, Status: key.status,
			Buckets: make([]uint64, len(m.boundaries)+1)}
		m.series[key] = s
	}
	return s
}

// encodedBytes is the size of a message that is encoded; native messages are not encoded for it.
func encodedBytes(p rpc.Payload) uint64 {
	if _, _, native := p.Native(); native {
		return 0
	}
	data, err := p.Bytes("")
	if err != nil {
		return 0
	}
	return uint64(len(data))
}

// Snapshot is what Metrics has counted.
type Snapshot struct {
	Boundaries []float64 `json:"time_cost_boundaries_us"`
	Series     []Series  `json:"series"`
}

// Snapshot gives the counters, ordered by side, function, module and status.
func (m *Metrics) Snapshot() Snapshot {
	out := Snapshot{Boundaries: slices.Clone(m.boundaries), Series: []Series{}}
	m.mu.Lock()
	for _, s := range m.series {
		one := *s
		one.Buckets = slices.Clone(s.Buckets)
		out.Series = append(out.Series, one)
	}
	m.mu.Unlock()
	slices.SortFunc(out.Series, func(a, b Series) int {
		return cmp.Or(cmp.Compare(a.Side, b.Side), cmp.Compare(a.Function, b.Function), cmp.Compare(a.Module, b.Module), cmp.Compare(a.Status, b.Status))
	})
	return out
}
