package results_test

import (
	"bytes"
	"context"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// With this variable the screenshots and the printed page stay, in its folder.
const keepVariable = "SPOTLIGHTER_SCREENSHOTS"

// browser is a headless Chromium with a page open.
type browser struct {
	context.Context
	t *testing.T

	mu   sync.Mutex
	said []string // console messages, exceptions, and requests that leave the page
}

// open opens the file in a fresh Chromium.
func open(t *testing.T, path string) *browser {
	t.Helper()
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
	flag := chromedp.Flag
	alloc, stop := chromedp.NewExecAllocator(context.Background(), chromedp.ExecPath(program), chromedp.UserDataDir(profile(t)),
		flag("headless", true), flag("no-sandbox", true), flag("disable-gpu", true), flag("no-first-run", true),
		flag("disable-background-networking", true), flag("disable-component-update", true), flag("disable-sync", true),
		flag("hide-scrollbars", true), chromedp.WSURLReadTimeout(time.Minute))
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(alloc)
	t.Cleanup(cancel)
	t.Cleanup(func() { _ = chromedp.Cancel(ctx) }) // let it close by itself; stop ends what is left
	b := &browser{Context: ctx, t: t}
	chromedp.ListenTarget(ctx, b.hear)
	if err := chromedp.Run(ctx); err != nil { // the first context that runs is the browser's life
		t.Fatal(err)
	}
	b.do(network.Enable(), runtime.Enable(), cdplog.Enable(), chromedp.Navigate("file://"+path))
	return b
}

// profile is an empty folder that goes away after the test, as soon as the last
// of Chromium's processes has stopped writing to it.
func profile(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "chromium")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			if err := os.RemoveAll(dir); err == nil {
				return
			} else if time.Now().After(deadline) {
				t.Error(err)
				return
			}
		}
	})
	return dir
}

func (b *browser) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.said = append(b.said, e.ExceptionDetails.Error())
	case *runtime.EventConsoleAPICalled:
		b.said = append(b.said, "console: "+e.Type.String())
	case *cdplog.EventEntryAdded:
		b.said = append(b.said, e.Entry.Text)
	case *network.EventRequestWillBeSent:
		if u := e.Request.URL; !strings.HasPrefix(u, "file://") && !strings.HasPrefix(u, "data:") {
			b.said = append(b.said, "request: "+u)
		}
	}
}

func (b *browser) do(actions ...chromedp.Action) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b, time.Minute)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// get evaluates JavaScript.
func get[T any](b *browser, script string) (v T) {
	b.t.Helper()
	b.do(chromedp.Evaluate(script, &v))
	return v
}

// look takes a picture of the whole page and wants it to show something.
func (b *browser) look(name string, width int) {
	b.t.Helper()
	var shot []byte
	b.do(chromedp.FullScreenshot(&shot, 100))
	keep(b.t, name+".png", shot)
	img, err := png.Decode(bytes.NewReader(shot))
	if err != nil {
		b.t.Fatal(err)
	}
	if img.Bounds().Dx() != width || img.Bounds().Dy() < 1500 {
		b.t.Errorf("%s: %v, want %d pixels wide and a long page", name, img.Bounds(), width)
	}
	colours := map[[3]uint32]bool{}
	for y := 0; y < img.Bounds().Dy(); y += 3 {
		for x := 0; x < width; x += 3 {
			r, g, b, _ := img.At(x, y).RGBA()
			colours[[3]uint32{r >> 8, g >> 8, b >> 8}] = true
		}
	}
	if len(colours) < 500 {
		b.t.Errorf("%s: %d colours, want those of charts and pictures", name, len(colours))
	}
}

func keep(t *testing.T, name string, content []byte) {
	t.Helper()
	if dir := os.Getenv(keepVariable); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
