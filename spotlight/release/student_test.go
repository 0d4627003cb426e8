package release

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"spotlighter/graph"
	"spotlighter/internal/fixture"
	"spotlighter/layers"
	"spotlighter/optim"
)

// student is a graph of the plug-in into PromptKD, over the fixture's CLIP.
type student struct {
	*pass
	grads   map[string]*Node
	updates []graph.Update
}

// student builds a training step from the reference's start.
func (x *reference) student(ref fixture.File, temperature, weight float64) *student {
	x.t.Helper()
	const width = 96
	s := graph.New(graph.NewStore(x.base), graph.Float32)
	p := &student{pass: &pass{scope: s, enc: declare(s)}, grads: map[string]*Node{}}
	err := graph.Try(func() {
		p.vit = p.enc.Vision.Forward(s.Input("images", graph.Float32, 6, 3, 32, 32))
		p.f = Encode(p.enc.Vision, p.vit)
		projector := layers.NewProjector(s.Sub("VPT_image_trans"), 1, 64, width)
		projected := projector.Train(p.vit.Feature)
		p.f.Image = layers.L2Normalize(projected.Rows, 0)
		p.m = NewStudent(s, Default(), 64, width, x.tau, 1)
		teacher := Teacher{Texts: s.Const(ref.Tensor("teacher.text_features")), Logits: s.Const(ref.Tensor("teacher.logits")),
			Temperature: temperature, Weight: weight}
		p.out = p.m.Distill(p.f, teacher, replayed(p.pass))
		p.updates = append(p.m.Updates(p.out), projected.Moments...)
		vars := s.Trainables()
		grads, err := s.Grad(p.out.Losses.Total, vars)
		if err != nil {
			x.t.Fatal(err)
		}
		for i, v := range vars {
			p.grads[v.Name] = grads[i]
		}
		lr := s.Const(graph.Floats([]float32{1e-5}))
		p.updates = append(p.updates, optim.SGD{Momentum: .9, WeightDecay: 5e-4}.Updates(s.Sub("optim"), lr, vars, grads)...)
	})
	if err != nil {
		x.t.Fatal(err)
	}
	for _, n := range ref.Names() {
		if kind, name, _ := strings.Cut(n, "."); (kind == "param" || kind == "buffer") && !strings.HasSuffix(name, "num_batches_tracked") {
			v := s.Store().Find(name)
			if v == nil {
				x.t.Fatalf("no variable for %s", n)
			}
			copy(v.Value.F32, ref.Tensor(n).F32)
		}
	}
	return p
}

// Steps of the plug-in into PromptKD: stages, losses, gradients, parameters, bank
// and moments; and one step of another temperature and weight.
func TestStudent(t *testing.T) {
	for name, c := range map[string]struct {
		open                func(t *testing.T, name string) fixture.File
		file, prefix        string
		steps               int
		temperature, weight float64
	}{
		"one step": {open, "student", "", 1, 1, 1000}, "another temperature": {open, "student", "T2_kd200.", 1, 2, 200},
		"two steps": {openWhole, "tkmc", "", 2, 1, 1000},
	} {
		t.Run(name, func(t *testing.T) {
			x, ref := load(t), c.open(t, c.file)
			p := x.student(ref, c.temperature, c.weight)
			o := p.out
			outputs := map[string]*Node{
				"rows.all": o.All, "rows.top": o.Top, "rows.low": o.Low, "memory.image_out": o.Image, "memory.text_out": o.Text,
				"student.image_features": p.f.Image, "student.tokens": o.Rows,
				"loss.L_ukd": o.Losses.Global, "loss.L_sem": o.Losses.All, "loss.L_sem_top": o.Losses.Top, "loss.L_sem_low": o.Losses.Low,
				"loss.L_mem": o.Losses.Text, "loss.L_img": o.Losses.Image, "loss.total": o.Losses.Total,
			}
			for name, g := range p.grads {
				outputs["grad."+name] = g
			}
			outputs["index"] = o.Index
			run := x.compile(p.pass, outputs, p.updates)
			delete(outputs, "index")
			for k := 1; k <= c.steps; k++ {
				at := fmt.Sprintf("%sstep%d.", c.prefix, k)
				program := run(map[string]graph.Tensor{"mask": ref.Tensor(at + "attn_weights_after_dropout")})
				x.wantInts(ref, at+"select.indices_before_plus1", program.Output("index").Int)
				for name := range outputs {
					if weight, ok := strings.CutSuffix(name, "conv1.0.bias"); ok { // before a batch norm: 0 but for rounding, in the reference too
						limit := 1e-5 * largest(program.Output(weight+"conv1.0.weight"))
						if g := largest(program.Output(name)); g > limit {
							t.Errorf("%s%s: %.2g, want 0 to %.2g", at, name, g, limit)
						}
						continue
					}
					x.want(ref, at+name, program.Output(name), "")
				}
				if c.prefix != "" {
					continue
				}
				for name := range p.grads {
					x.want(ref, at+"param."+name, p.scope.Store().Find(name).Value, "")
				}
				for _, name := range []string{BankName, "VPT_image_trans.conv1.1.running_mean", "mid_image_trans.conv1.1.running_var"} {
					x.want(ref, at+"buffer."+name, p.scope.Store().Find(name).Value, "")
				}
			}
		})
	}
}

// largest is the largest magnitude of a tensor's elements.
func largest(t graph.Tensor) float64 {
	var m float64
	for _, v := range t.F32 {
		m = max(m, math.Abs(float64(v)))
	}
	return m
}
