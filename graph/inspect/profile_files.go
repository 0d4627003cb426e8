package inspect

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"spotlighter/graph"
	"spotlighter/internal/atomicfile"
)

// ProfileReport is what a part of a Profile found.
type ProfileReport struct {
	Limit    float64           `json:"limit_gflops"`
	Threads  int               `json:"threads"`
	Wall     float64           `json:"wall_seconds"` // that the part took, outside of ops too
	Peak     int64             `json:"peak_bytes"`   // of the process
	All      Cost              `json:"all"`
	ByPhase  []Group           `json:"by_phase"`
	ByOp     []Group           `json:"by_op"`
	ByLayer  []Group           `json:"by_layer"`
	Programs []*ProgramProfile `json:"programs"`

	trace []event
}

// The files of a profile's folder.
const (
	ProfileTable = "profile.txt"
	ProfileJSON  = "profile.json"
	ProfileTrace = "trace.json" // for chrome://tracing and ui.perfetto.dev
)

// Write writes the table, the numbers and the trace into a folder.
func (r *ProfileReport) Write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	for name, write := range map[string]func(io.Writer) error{
		ProfileTable: func(w io.Writer) error { return r.Table(w, 0) },
		ProfileJSON:  func(w io.Writer) error { e := json.NewEncoder(w); e.SetIndent("", " "); return e.Encode(r) },
		ProfileTrace: r.writeTrace,
	} {
		if err := atomicfile.Write(filepath.Join(dir, name), write); err != nil {
			return fmt.Errorf("profile: %w", err)
		}
	}
	return nil
}

// Table prints the profile, so many rows of each part at most; 0 is all.
func (r *ProfileReport) Table(w io.Writer, rows int) error {
	limit := "the limit of arithmetic is not known here"
	if r.Limit > 0 {
		limit = fmt.Sprintf("limit %.0f GFLOP/s on %d threads", r.Limit, r.Threads)
	}
	width := 0
	for _, g := range slices.Concat(r.ByPhase, r.ByOp, r.ByLayer) {
		width = max(width, len(g.words()))
	}
	for _, p := range r.Programs {
		width = max(width, len(p.Title))
	}
	fmt.Fprintf(w, "profile: %.2f s in %d ops, of %.2f s; %s\n", r.All.Seconds, r.All.Calls, r.Wall, limit)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	part := func(head string, groups []Group) {
		fmt.Fprintf(t, "\n%-*s\tcalls\tseconds\tof all\tGFLOP/s\tof limit\tGB/s\t\n", width, head)
		rest, n := Cost{}, 0
		for i, g := range groups {
			if rows > 0 && i >= rows {
				rest.Add(g.Cost)
				n++
				continue
			}
			r.row(t, fmt.Sprintf("%-*s", width, g.words()), g.Cost)
		}
		if n > 0 {
			r.row(t, fmt.Sprintf("%-*s", width, fmt.Sprintf("%d others", n)), rest)
		}
	}
	part("phase", r.ByPhase)
	part("op", r.ByOp)
	part("layer", r.ByLayer)
	fmt.Fprintf(t, "\n%-*s\truns\tseconds\tvalues\tvariables\tpacked\tinputs\t\n", width, "program")
	for _, p := range r.Programs {
		var c Cost
		for _, o := range p.Ops {
			c.Add(o.Cost)
		}
		m := p.Memory
		fmt.Fprintf(t, "%-*s\t%d\t%.3f\t%s\t%s\t%s\t%s\t\n", width, p.Title, p.Runs, c.Seconds, mib(m.Values), mib(m.Variables), mib(m.Packed), mib(m.Inputs))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return r.heldTable(w)
}

// words name a group.
func (g Group) words() string {
	name := cmp.Or(g.Name, "(root)")
	if g.Phase != "" && g.Phase != graph.Forward.String() {
		name += " " + g.Phase
	}
	return name
}

// heldShown are the values of a program's peak that the table names.
const heldShown = 5

// heldTable prints what held each program's peak.
func (r *ProfileReport) heldTable(w io.Writer) error {
	if r.Peak > 0 {
		fmt.Fprintf(w, "\npeak memory of the process: %s\n", mib(r.Peak))
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, p := range r.Programs {
		m := p.Memory
		fmt.Fprintf(t, "\n%s: %s of values are live at %s, held by\n", p.Title, mib(m.Live), m.Peak)
		for i, h := range m.Held {
			if i == heldShown {
				fmt.Fprintf(t, "  and %d others\n", len(m.Held)-i)
				break
			}
			fmt.Fprintf(t, "  %s\t%s\t%v\n", mib(h.Bytes), h.Node, []int(h.Shape))
		}
	}
	return t.Flush()
}

func (r *ProfileReport) row(w io.Writer, name string, c Cost) {
	rate, share, memory := "", "", ""
	if v := c.Rate(); v > 0 {
		rate = fmt.Sprintf("%.1f", v)
		if r.Limit > 0 {
			share = fmt.Sprintf("%.0f%%", 100*v/r.Limit)
		}
	}
	if c.Seconds > 0 {
		memory = fmt.Sprintf("%.1f", c.GBytes/c.Seconds)
	}
	fmt.Fprintf(w, "%s\t%d\t%.3f\t%.1f%%\t%s\t%s\t%s\t\n", name, c.Calls, c.Seconds, 100*c.Seconds/max(r.All.Seconds, 1e-12), rate, share, memory)
}

func mib(n int64) string { return fmt.Sprintf("%.2f MiB", float64(n)/(1<<20)) }

// event is an op of a Run.
type event struct {
	title string
	run   int
	step  *graph.Step
	at    time.Duration // since the part began
	took  time.Duration
}

// slice is a complete event of Chrome's trace format, or ("ph" M) the name of a
// track. Slices of a track that lie in one another are shown so.
type slice struct {
	Name  string         `json:"name"`
	Cat   string         `json:"cat,omitempty"`
	Phase string         `json:"ph"`
	TS    float64        `json:"ts"`  // microseconds
	Dur   float64        `json:"dur"` // microseconds
	PID   int            `json:"pid"`
	TID   int            `json:"tid"` // the program
	Args  map[string]any `json:"args,omitempty"`
}

func us(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }

// writeTrace writes the first Runs of each title: a track a title, on it the Runs,
// in them the layers, in them the ops.
func (r *ProfileReport) writeTrace(w io.Writer) error {
	track := map[string]int{}
	var list []slice
	for i, p := range r.Programs {
		track[p.Title] = i + 1
		list = append(list, slice{Name: "thread_name", Phase: "M", PID: 1, TID: i + 1, Args: map[string]any{"name": p.Title}})
	}
	// span is a slice over the events from lo to hi.
	span := func(name, cat string, lo, hi int) {
		first, last := r.trace[lo], r.trace[hi-1]
		list = append(list, slice{Name: name, Cat: cat, Phase: "X", TS: us(first.at), Dur: us(last.at + last.took - first.at), PID: 1, TID: track[first.title]})
	}
	spans := func(lo, hi int, same func(a, b event) bool, each func(lo, hi int)) {
		for lo < hi {
			end := lo + 1
			for end < hi && same(r.trace[lo], r.trace[end]) {
				end++
			}
			each(lo, end)
			lo = end
		}
	}
	spans(0, len(r.trace), func(a, b event) bool { return a.title == b.title && a.run == b.run }, func(lo, hi int) {
		span(fmt.Sprintf("%s %d", r.trace[lo].title, r.trace[lo].run), "run", lo, hi)
		spans(lo, hi, func(a, b event) bool { return a.step.Phase == b.step.Phase }, func(lo, hi int) {
			span(r.trace[lo].step.Phase.String(), "phase", lo, hi)
			spans(lo, hi, func(a, b event) bool { return a.step.Layer == b.step.Layer }, func(lo, hi int) {
				if layer := r.trace[lo].step.Layer; layer != "" {
					span(layer, "layer", lo, hi)
				}
				for _, e := range r.trace[lo:hi] {
					list = append(list, e.slice(track[e.title]))
				}
			})
		})
	})
	return json.NewEncoder(w).Encode(map[string]any{"traceEvents": list, "displayTimeUnit": "ms"})
}

func (e event) slice(track int) slice {
	s := e.step
	var in []string
	for i, name := range s.Inputs {
		in = append(in, fmt.Sprint(name, " ", []int(s.In[i].Shape)))
	}
	return slice{
		Name: s.Op, Cat: "op", Phase: "X", TS: us(e.at), Dur: us(e.took), PID: 1, TID: track,
		Args: map[string]any{"node": s.Node, "phase": s.Phase.String(), "operands": strings.Join(in, ", "), "shape": []int(s.Out.Shape), "flops": s.FLOPs, "bytes": s.Bytes()},
	}
}
