package bench

import (
	"fmt"
	"strings"
)

// Words tells a result to a reader, in lines.
func Words(r any) string {
	switch r := r.(type) {
	case Machine:
		limit := "not known"
		if r.Limit > 0 {
			limit = fmt.Sprintf("%.0f GFLOP/s", r.Limit)
		}
		return fmt.Sprintf("%s, %d cores, %d threads, %s, %s\nflags %s; kernels %s; limit of fused products and sums %s; load %s\n",
			r.Processor, r.Cores, r.Threads, r.System, r.Go, strings.Join(r.Flags, " "), r.Path, limit, r.Load)
	case []OpResult:
		var b strings.Builder
		for _, o := range r {
			fmt.Fprintf(&b, "%-55s %9.3f ms", o.Name, 1e3*o.Median)
			if o.GFLOPs > 0 {
				fmt.Fprintf(&b, "  %7.1f GFLOP/s%s", o.GFLOPs, share(o.Share))
			} else {
				fmt.Fprintf(&b, "  %7.1f GB/s", o.GBs)
			}
			b.WriteByte('\n')
		}
		return b.String()
	case ImageResult:
		return fmt.Sprintf("ViT-%s, batch %d: %.2f images/s, %.0f GFLOP/s%s, peak memory %s\n", r.Model, r.Batch, r.Images, r.GFLOPs, share(r.Share), bytes(r.Peak))
	case TaskResult:
		what := fmt.Sprintf("%s, %d classes, batch %d", r.Method, r.Classes, r.Batch)
		switch {
		case r.Classes == 0:
			what = fmt.Sprintf("training step of the small CLIP, batch %d", r.Batch)
		case r.Images > 0:
			what += fmt.Sprintf(", evaluation of %d images", r.Images)
		default:
			what += ", training step"
		}
		if r.Classes > 0 && !r.Text.IsZero() {
			what += fmt.Sprintf(" (trim %v, shared prefix %v)", r.Text.Trim, r.Text.SharedPrefix)
		}
		if r.Images > 0 {
			return fmt.Sprintf("%s: texts %.3f s, images %.2f a second, compiled in %.2f s, peak memory %s\n", what, r.Texts, float64(r.Images)/r.Median, r.Compile, bytes(r.Peak))
		}
		return fmt.Sprintf("%s: %.3f s, compiled in %.2f s, peak memory %s\n", what, r.Median, r.Compile, bytes(r.Peak))
	}
	return fmt.Sprintf("%+v\n", r)
}

func share(s float64) string {
	if s == 0 {
		return ""
	}
	return fmt.Sprintf(", %.0f%% of the limit", 100*s)
}

func bytes(n int64) string {
	if n == 0 {
		return "not known"
	}
	return fmt.Sprintf("%.2f GiB", float64(n)/(1<<30))
}
