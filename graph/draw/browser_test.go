package draw_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"spotlighter/graph/draw"
)

// The page in a browser: boxes open and close by mouse and keyboard, edges follow,
// and the script has no mistakes.
func TestPageInBrowser(t *testing.T) {
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			program = p
			break
		}
	}
	if program == "" {
		t.Skip("no Chromium here; .ci/browser installs it")
	}
	path := filepath.Join(t.TempDir(), "graph.html")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := draw.Diff(model(t, 4, false), model(t, 4, true)).WriteHTML(f, 1); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	flags := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.WSURLReadTimeout(time.Minute))
	alloc, stop := chromedp.NewExecAllocator(context.Background(), flags...)
	defer stop()
	ctx, cancel := chromedp.NewContext(alloc)
	defer cancel()
	chromedp.ListenTarget(ctx, func(event any) {
		if e, ok := event.(*runtime.EventExceptionThrown); ok {
			t.Error(e.ExceptionDetails.Error())
		}
	})
	if err := chromedp.Run(ctx, chromedp.Navigate("file://"+path)); err != nil {
		t.Fatal(err)
	}
	do := func(actions ...chromedp.Action) {
		t.Helper()
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		if err := chromedp.Run(ctx, actions...); err != nil {
			t.Fatal(err)
		}
	}
	number := func(script string) (n int) {
		t.Helper()
		do(chromedp.Evaluate(script, &n))
		return n
	}
	const drawn = `document.querySelectorAll("main > svg path").length`
	const visible = `[...document.querySelectorAll(".leaf")].filter(e => e.checkVisibility()).length`
	const settle = `new Promise(f => requestAnimationFrame(() => requestAnimationFrame(() => f(1))))`
	wait := func() {
		var n int
		do(chromedp.Evaluate(settle, &n, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
	}
	wait()
	leaves, edges := number(visible), number(drawn)
	if leaves == 0 || edges == 0 {
		t.Fatalf("%d leaves and %d parts of edges are drawn", leaves, edges)
	}
	const dense = `details[data-id="step:forward:encoder.dense"]`
	if n := number(`document.querySelector('` + dense + `').open ? 1 : 0`); n != 0 {
		t.Error("a layer below --depth is open")
	}
	do(chromedp.Click(dense + " > summary"))
	wait()
	if n, e := number(visible), number(drawn); n != leaves+2 || e <= edges {
		t.Errorf("an opened layer: %d leaves, then %d; %d parts of edges, then %d", leaves, n, edges, e)
	}
	do(chromedp.Focus(dense+" > summary"), chromedp.KeyEvent("\r"))
	wait()
	if n, e := number(visible), number(drawn); n != leaves || e != edges {
		t.Errorf("closed again by Enter: %d leaves, want %d; %d parts of edges, want %d", n, leaves, e, edges)
	}
	do(chromedp.Click("#unfold"))
	wait()
	if n, all := number(visible), number(`document.querySelectorAll(".leaf").length`); n != all {
		t.Errorf("unfolded: %d of %d leaves", n, all)
	}
	all := number(drawn)
	do(chromedp.Click("#across"))
	wait()
	if n := number(drawn); n <= all {
		t.Errorf("with what passes between the phases %d parts of edges, without %d", n, all)
	}
	do(chromedp.Click("#fold"))
	wait()
	if n := number(`document.querySelectorAll("details[open][data-level='1']").length`); n != 0 {
		t.Errorf("folded: %d layers are open", n)
	}
	if n := number(`document.querySelectorAll(".leaf.added").length`); n == 0 {
		t.Error("what was added has no colour")
	}
}
