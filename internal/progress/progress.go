// Package progress tells a person how far a list of runs is: on a terminal by
// one line that is rewritten in place, elsewhere by a plain line an epoch and a run.
package progress

import (
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/rivo/uniseg"
	"golang.org/x/term"
)

// Task is one run to come. Work is in any unit that is proportional to its
// time, such as images to encode, and only used to guess the time left.
type Task struct {
	Name string
	Work float64
}

// Step is where the current run is. Values that are 0 are not shown.
type Step struct {
	Phase           string // what is done outside of epochs, such as "evaluate"
	Epoch, Epochs   int
	Step, Steps     int     // of the epoch
	Done            float64 // share of the run's work, 0 to 1
	Loss, LR        float64
	ImagesPerSecond float64
	EpochOver       bool // this was the epoch's last step
}

// Reporter is safe for concurrent use.
type Reporter struct {
	mu      sync.Mutex
	out     io.Writer
	width   func() int // columns of the terminal; nil: not a terminal
	now     func() time.Time
	quiet   bool
	tasks   []Task
	current int
	started time.Time // of the current task
	spent   time.Duration
	worked  float64 // work of the tasks that took spent
	drawn   time.Time
	onLine  bool // the terminal's line holds a text of ours
}

// redraw is the least time between two drawings of the terminal's line.
const redraw = 100 * time.Millisecond

// New reports on tasks to f, which should be stderr; with quiet, not at all.
func New(f *os.File, tasks []Task, quiet bool) *Reporter {
	r := &Reporter{out: f, now: time.Now, quiet: quiet, tasks: tasks, current: -1}
	if fd := int(f.Fd()); term.IsTerminal(fd) {
		r.width = func() int {
			if w, _, err := term.GetSize(fd); err == nil {
				return w
			}
			return 80
		}
	}
	return r
}

// Start says that task i is now at work.
func (r *Reporter) Start(i int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.current, r.started, r.drawn = i, r.now(), time.Time{}
	r.draw(Step{})
}

// Step updates the line of the current task; elsewhere than on a terminal it
// prints a line at the end of each epoch.
func (r *Reporter) Step(s Step) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.width == nil {
		if s.EpochOver {
			r.print(r.text(s, r.now()))
		}
		return
	}
	r.draw(s)
}

// Finish says that task i is done, with its outcome in a few words.
func (r *Reporter) Finish(i int, outcome string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	took := max(r.now().Sub(r.started), 0)
	r.spent += took
	r.worked += r.tasks[i].Work
	r.tasks[i].Work = 0
	r.print(fmt.Sprintf("%s  %s  %s", r.head(i), outcome, Short(took)))
}

// Skip says that task i was done before.
func (r *Reporter) Skip(i int, outcome string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tasks[i].Work = 0
	r.print(fmt.Sprintf("%s  %s  done before", r.head(i), outcome))
}

// Note prints a line of its own above the progress.
func (r *Reporter) Note(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.print(line)
}

// Close leaves the terminal's line clean for whoever writes next.
func (r *Reporter) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clear()
}

func (r *Reporter) head(i int) string {
	digits := len(fmt.Sprint(len(r.tasks)))
	return fmt.Sprintf("[%*d/%d] %s", digits, i+1, len(r.tasks), r.tasks[i].Name)
}

func (r *Reporter) print(line string) {
	if r.quiet {
		return
	}
	r.clear()
	fmt.Fprintln(r.out, line)
}

func (r *Reporter) clear() {
	if r.onLine {
		fmt.Fprint(r.out, "\r\x1b[K")
		r.onLine = false
	}
}

// draw rewrites the terminal's line; elsewhere it does nothing.
func (r *Reporter) draw(s Step) {
	now := r.now()
	since := now.Sub(r.drawn) // negative where the clock went backwards
	if r.quiet || r.width == nil || r.current < 0 || since >= 0 && since < redraw {
		return
	}
	r.drawn, r.onLine = now, true
	fmt.Fprint(r.out, "\r", fit(r.text(s, now), r.width()-1), "\x1b[K")
}

// text is all that there is to say of the current task.
func (r *Reporter) text(s Step, now time.Time) string {
	parts := []string{r.head(r.current)}
	if s.Phase != "" {
		parts = append(parts, s.Phase)
	}
	if s.Epochs > 0 {
		parts = append(parts, fmt.Sprintf("epoch %d/%d", s.Epoch, s.Epochs))
	}
	if s.Steps > 0 && !s.EpochOver {
		parts = append(parts, fmt.Sprintf("step %d/%d", s.Step, s.Steps))
	}
	if s.Loss != 0 {
		parts = append(parts, fmt.Sprintf("loss %.3f", s.Loss))
	}
	if s.LR > 0 {
		parts = append(parts, fmt.Sprintf("lr %.2g", s.LR))
	}
	if s.ImagesPerSecond > 0 {
		parts = append(parts, fmt.Sprintf("%.0f images/s", s.ImagesPerSecond))
	}
	if left, ok := r.left(now, s.Done); ok {
		parts = append(parts, Short(left)+" left")
	}
	return strings.Join(parts, "  ")
}

// left is the time that the rest will take at the pace so far; not known
// before there is a pace.
func (r *Reporter) left(now time.Time, done float64) (time.Duration, bool) {
	work := r.tasks[r.current].Work
	worked := r.worked + done*work
	spent := r.spent + now.Sub(r.started)
	if worked <= 0 || spent < time.Second {
		return 0, false
	}
	rest := -done * work
	for _, t := range r.tasks {
		rest += t.Work // 0 for those that are over
	}
	return time.Duration(float64(spent) * max(rest, 0) / worked), true
}

// fit cuts s to the columns of the line, which would else wrap and not be overwritten.
func fit(s string, columns int) string {
	if uniseg.StringWidth(s) <= columns {
		return s
	}
	var b strings.Builder
	width := 0
	for g := uniseg.NewGraphemes(s); g.Next(); {
		if width += g.Width(); width > columns-1 {
			break
		}
		b.WriteString(g.Str())
	}
	return b.String() + "…"
}

// Short is a duration to two units: 8.4s, 2m05s, 3h20m.
func Short(d time.Duration) string {
	switch s := d.Seconds(); {
	case s < 9.95:
		return fmt.Sprintf("%.1fs", s)
	case s < 59.5:
		return fmt.Sprintf("%.0fs", s)
	case s < 3599.5:
		n := int(math.Round(s))
		return fmt.Sprintf("%dm%02ds", n/60, n%60)
	default:
		n := int(math.Round(s / 60))
		return fmt.Sprintf("%dh%02dm", n/60, n%60)
	}
}
