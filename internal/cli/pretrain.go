package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"spotlighter/experiments"
	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/internal/atomicfile"
	"spotlighter/internal/clip"
	"spotlighter/internal/tiny"
	"spotlighter/internal/weights"
)

func pretrainCommand() *cobra.Command {
	var out string
	var threads, every int
	var on, math string
	cfg := tiny.Recipe()
	c := &cobra.Command{
		Use:   "pretrain",
		Short: "Train the small CLIP from scratch, as the embedded one was made",
		Long: `Train the small CLIP from scratch on rendered pictures and captions.

The folder gets checkpoint.safetensors (a stopped run goes on from it),
log.jsonl and, at the end, clip.safetensors and its accuracies. One process works
in a folder at a time. The recipe is internal/tiny/pretrain.yaml; the same recipe
gives the same bits.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := openDevice(on, math)
			if err != nil {
				return err
			}
			return pretrain(cmd.Context(), cfg, out, threads, every, d)
		},
	}
	c.Flags().StringVar(&out, "out", "runs/pretrain", "folder of the checkpoint, the log and the weights")
	c.Flags().IntVar(&threads, "threads", 0, "threads; 0: all cores")
	deviceFlag(c.Flags(), &on)
	mathFlag(c.Flags(), &math)
	c.Flags().IntVar(&every, "checkpoint-every", 200, "steps between checkpoints")
	c.Flags().IntVar(&cfg.Steps, "steps", cfg.Steps, "steps, of which the cosine is as long")
	return c
}

// pretrainLine is one line of the log: the mean loss since the last.
type pretrainLine struct {
	Step         int     `json:"step"`
	Loss         float64 `json:"loss"`
	StepsASecond float64 `json:"steps_per_second"`
}

func pretrain(ctx context.Context, cfg tiny.PretrainConfig, out string, threads, every int, d graph.Device) error {
	if err := cmp.Or(wantAtLeast("--threads", threads, 0), wantAtLeast("--checkpoint-every", every, 1), wantAtLeast("--steps", cfg.Steps, 1)); err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	lock, err := experiments.LockFolder(out)
	if err != nil {
		return fmt.Errorf("pretrain: %w", err)
	}
	defer lock.Close()
	if err := atomicfile.Clean(out); err != nil {
		return fmt.Errorf("pretrain: %w", err)
	}
	pool := cpu.NewPool(threads)
	p, err := tiny.NewPretrainer(cfg, pool, d)
	if err != nil {
		return err
	}
	checkpoint := filepath.Join(out, "checkpoint.safetensors")
	if err := p.Resume(checkpoint); err != nil {
		return err
	}
	if p.Step > 0 {
		fmt.Fprintf(os.Stderr, "going on from step %d of %d\n", p.Step, cfg.Steps)
	}
	log, err := os.OpenFile(filepath.Join(out, "log.jsonl"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	var sum float64
	var n int
	since := time.Now()
	for p.Step < cfg.Steps {
		loss, err := p.Train(ctx)
		if err != nil {
			if ctx.Err() != nil { // stopped between two steps: nothing is lost
				if err := p.Checkpoint(checkpoint); err != nil {
					return err
				}
				return fmt.Errorf("stopped at step %d of %d; the same command goes on from there", p.Step, cfg.Steps)
			}
			return err
		}
		sum, n = sum+loss, n+1
		if p.Step%100 == 0 || p.Step == cfg.Steps {
			l := pretrainLine{p.Step, sum / float64(n), float64(n) / time.Since(since).Seconds()}
			text, _ := json.Marshal(l)
			if _, err := fmt.Fprintf(log, "%s\n", text); err != nil {
				return err
			}
			fmt.Fprintf(os.Stderr, "step %d of %d  loss %.3f  %.2f steps/s\n", l.Step, cfg.Steps, l.Loss, l.StepsASecond)
			sum, n, since = 0, 0, time.Now()
		}
		if p.Step%every == 0 {
			if err := p.Checkpoint(checkpoint); err != nil {
				return err
			}
		}
	}
	if err := p.Checkpoint(checkpoint); err != nil {
		return err
	}
	path := filepath.Join(out, "clip.safetensors")
	if err := p.Save(path); err != nil {
		return err
	}
	return report(ctx, path, pool)
}

// report measures the finished weights as a user will read them.
func report(ctx context.Context, path string, pool *cpu.Pool) error {
	f, err := weights.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	m, err := clip.Load(path, f)
	if err != nil {
		return err
	}
	acc, err := tiny.HeldAccuracy(ctx, m, clip.NewZeroShot(m, pool), 20*len(tiny.Held()))
	if err != nil {
		return err
	}
	fmt.Printf("%s: %d parameters; top-1 over %d compositions it never saw: %.1f%% (chance %.1f%%)\n",
		path, m.Parameters(), len(tiny.Held()), acc, 100/float64(len(tiny.Held())))
	return nil
}
