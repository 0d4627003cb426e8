package catalogue

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// published is a model of random bytes.
func published() (Model, []byte) {
	content := make([]byte, 1<<20)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range content {
		content[i] = byte(r.Uint32())
	}
	sum := sha256.Sum256(content)
	return Model{Name: "x", File: "x.pt", SHA256: hex.EncodeToString(sum[:]), Bytes: int64(len(content))}, content
}

func fetcher() *Fetcher {
	return &Fetcher{Client: http.DefaultClient, Stall: 300 * time.Millisecond, Retries: 2, Pause: time.Millisecond}
}

// serve answers each request by the next handler, the last one again and again.
func serve(t *testing.T, handlers ...http.HandlerFunc) (url string, requests *atomic.Int32) {
	t.Helper()
	requests = new(atomic.Int32)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := int(requests.Add(1)) - 1
		handlers[min(n, len(handlers)-1)](w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL, requests
}

// whole serves the content, or the range that is asked for.
func whole(content []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream")
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(string(content)))
	}
}

// cut promises all that is asked for and closes after n bytes.
func cut(content []byte, n int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		at := 0
		if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &at); err == nil {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", at, len(content)-1, len(content)))
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(content)-at))
		if at > 0 {
			w.WriteHeader(http.StatusPartialContent)
		}
		w.Write(content[at : at+n])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
}

func TestGet(t *testing.T) {
	m, content := published()
	for name, handlers := range map[string][]http.HandlerFunc{
		"whole":     {whole(content)},
		"cut twice": {cut(content, 1000), cut(content, 70_000), whole(content)},
		"sends more": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "x/y")
			w.(http.Flusher).Flush()
			w.Write(content)
			w.Write(content)
		}},
		"ignores a range": {cut(content, 1000), func(w http.ResponseWriter, _ *http.Request) { w.Write(content) }},
	} {
		t.Run(name, func(t *testing.T) {
			url, requests := serve(t, handlers...)
			path := filepath.Join(t.TempDir(), "x.pt")
			var last int64
			f := fetcher()
			f.Progress = func(done, _ int64) { last = done }
			if err := f.Get(context.Background(), m, url, path); err != nil {
				t.Fatal(err)
			}
			if got, _ := os.ReadFile(path); string(got) != string(content) || last != m.Bytes {
				t.Errorf("%d bytes, progress %d", len(got), last)
			}
			if _, err := os.Stat(path + ".part"); err == nil {
				t.Error("the part is left")
			}
			n := requests.Load()
			if err := f.Get(context.Background(), m, url, path); err != nil || requests.Load() != n {
				t.Errorf("a second time: %v, %d more requests", err, requests.Load()-n)
			}
		})
	}
}

// TestResume goes on in another call, with a request for the rest alone.
func TestResume(t *testing.T) {
	m, content := published()
	path := filepath.Join(t.TempDir(), "x.pt")
	url, _ := serve(t, cut(content, 500_000))
	f := fetcher()
	f.Retries = 0
	err := f.Get(context.Background(), m, url, path)
	if err == nil || !strings.Contains(err.Error(), "cut at 500000 of 1048576 bytes; the same command goes on") {
		t.Fatalf("cut: %v", err)
	}
	asked := ""
	url, requests := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r.Header.Get("Range")
		whole(content)(w, r)
	})
	if err := f.Get(context.Background(), m, url, path); err != nil || asked != "bytes=500000-" || requests.Load() != 1 {
		t.Errorf("%v, asked for %q in %d requests", err, asked, requests.Load())
	}
}

func TestGetRefuses(t *testing.T) {
	m, content := published()
	wrong := append([]byte{content[0] ^ 1}, content[1:]...)
	for want, handler := range map[string]http.HandlerFunc{
		"404 Not Found":           http.NotFound,
		"sends a page (text/html": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>sign in</html>") },
		"sends a web page": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/octet-stream")
			w.Write([]byte("  <!DOCTYPE html>"))
			w.(http.Flusher).Flush()
		},
		"offers a file of 9 bytes":       whole(content[:9]),
		"offers a file of 1048577 bytes": whole(append(content[:len(content):len(content)], 0)),
		"its SHA-256 is":                 whole(wrong),
		"asked for what follows byte 4": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", "bytes 0-1048575/1048576")
			w.WriteHeader(http.StatusPartialContent)
			w.Write(content)
		},
		"nothing came for 300ms": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"the connection was cut at 10 of": func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Range") != "" {
				w.WriteHeader(http.StatusPartialContent)
			}
			cut(content, 10)(w, &http.Request{})
		},
	} {
		path := filepath.Join(t.TempDir(), "x.pt")
		if want == "asked for what follows byte 4" {
			if err := os.WriteFile(path+".part", content[:4], 0o644); err != nil {
				t.Fatal(err)
			}
		}
		url, _ := serve(t, handler)
		f := fetcher()
		if strings.Contains(want, "cut at") {
			f.Retries = 0
		}
		err := f.Get(context.Background(), m, url, path)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), url) || strings.Contains(err.Error(), "\n") {
			t.Errorf("got %v, want one line with the address and %q", err, want)
		}
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s: a file was left", want)
		}
	}
	path := filepath.Join(t.TempDir(), "x.pt")
	if err := os.WriteFile(path, wrong, 0o644); err != nil {
		t.Fatal(err)
	}
	url, _ := serve(t, whole(content))
	if err := fetcher().Get(context.Background(), m, url, path); err == nil || !strings.Contains(err.Error(), "is there already, but its SHA-256 is") {
		t.Errorf("another file in place: %v", err)
	}
}

func TestModels(t *testing.T) {
	all, err := Models()
	if err != nil || len(all) != 4 {
		t.Fatalf("%d models, %v", len(all), err)
	}
	for _, m := range all {
		parts := strings.Split(m.URL, "/")
		if len(m.SHA256) != 64 || parts[len(parts)-2] != m.SHA256 || parts[len(parts)-1] != m.File || m.Bytes < 1<<28 || m.Licence == "" {
			t.Errorf("%+v", m)
		}
	}
	for _, name := range []string{"ViT-L/14@336px", "vit-l-14-336px", "ViT-L-14-336px.pt"} {
		if m, err := Find(name); err != nil || m.Name != "ViT-L/14@336px" {
			t.Errorf("%s: %v, %v", name, m.Name, err)
		}
	}
	if _, err := Find("RN50"); err == nil || !strings.Contains(err.Error(), "ViT-B/16") {
		t.Errorf("RN50: %v", err)
	}
}
