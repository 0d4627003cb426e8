package release

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"spotlighter/graph"
	"spotlighter/layers"
)

// stages are the values of a pass by the reference's names.
func stages(p *pass, train bool) map[string]*Node {
	o := p.out
	m := map[string]*Node{
		"image.features": p.f.Image, "logits.global": o.Logits,
		"memory.text_read_weights": o.TextWeights, "memory.text_read": o.TextRead, "memory.extractor_out": o.Extracted, "memory.text_out": o.Text,
		"memory.image_read_weights": o.ImageWeights, "memory.image_read": o.ImageRead, "memory.image_out": o.Image,
		"memory.attn_weights_after_dropout": o.Attention,
	}
	if !train {
		return m
	}
	for name, n := range map[string]*Node{
		"mid.conv0_out": o.First, "mid.conv2_out": o.Rectified, "mid.conv3_out": o.Rows, "image.fine_tokens": o.Rows,
		"select.attn": p.f.Attention, "select.values": layers.Gather(p.f.Attention, o.Index),
		"rows.all": o.All, "rows.top": o.Top, "rows.low": o.Low,
		"logits.all": o.AllLogits, "logits.top": o.TopLogits, "logits.low": o.LowLogits,
		"memory.text_out_normalised": unit(o.Text), "memory.image_out_normalised": unit(o.Image),
		"write.features": o.Unit, "write.softmax_over_rows": o.OverRows, "write.softmax_over_prototypes": o.OverPrototypes,
	} {
		m[name] = n
	}
	for name, n := range parts(o.Losses) {
		m[name] = n
	}
	return m
}

func parts(l Losses) map[string]*Node {
	return map[string]*Node{
		"loss.ce_global": l.Global, "loss.ce_all": l.All, "loss.ce_top": l.Top, "loss.ce_low": l.Low,
		"loss.l1_text": l.Text, "loss.l1_image": l.Image, "loss.total": l.Total,
	}
}

// The frozen encoders: each block's tokens and attention, and the prompts.
func TestEncoders(t *testing.T) {
	x, ref := load(t), openWhole(t, "forward")
	p := x.graph(nil, Default(), nil, false)
	outputs := map[string]*Node{
		"vision.image_features_raw": p.vit.Feature,
		"text.prompts":              p.embed, "text.features_raw": p.text.Feature, "text.features": p.t,
	}
	for l := range 2 {
		v := fmt.Sprintf("vision.block%d.", l)
		q, k := layers.SplitHeads(p.vit.QKV[l], 0, 2), layers.SplitHeads(p.vit.QKV[l], 1, 2)
		attention := layers.Softmax(layers.Scale(layers.MatMul(q, k, false, true), 1./8)) // heads of 64
		outputs[v+"residual"], outputs[v+"tokens"] = p.vit.Tokens[l+1], p.enc.Vision.Head(p.vit.Tokens[l+1])
		outputs[v+"attn_mean_heads"] = layers.Mean(attention, 1)
		outputs[v+"cls_attn"] = layers.Slice(layers.Mean(p.enc.Vision.ClassAttention(p.vit, l), 1), 1, 1, 17)
		outputs[fmt.Sprintf("text.block%d.residual", l)] = p.text.Tokens[l+1]
	}
	program := x.compile(p, outputs, nil)(nil)
	for name := range outputs {
		x.want(ref, "shared."+name, program.Output(name), "forward."+name)
	}
}

func TestEvalMode(t *testing.T) {
	x, ref := load(t), open(t, "forward")
	p := x.graph(nil, Default(), nil, false)
	outputs := stages(p, false)
	program := x.compile(p, outputs, nil)(nil)
	for name := range outputs {
		rounding := "forward." + name
		if name == "memory.attn_weights_after_dropout" {
			for _, w := range program.Output(name).F32 {
				if w != 1 {
					t.Fatalf("attention weight of one key is %v, want 1", w)
				}
			}
		}
		x.want(ref, "eval."+name, program.Output(name), rounding)
	}
	if s := ref.Tensor("eval.logit_scale_exp").F32[0]; s != float32(x.tau) {
		t.Errorf("temperature %v, want %v", float32(x.tau), s)
	}
}

// Training mode from the start, with the recorded dropout and without: every
// intermediate, the choices, and the loss's derivative by what lies between.
func TestTrainMode(t *testing.T) {
	for mode, mask := range map[string]func(*pass) *Node{"train": replayed, "train_nodrop": undropped} {
		t.Run(mode, func(t *testing.T) {
			x, ref := load(t), open(t, "forward")
			p := x.graph(nil, Default(), mask, true)
			outputs := stages(p, true)
			if _, err := p.scope.Grad(p.out.Losses.Total, p.scope.Trainables()); err != nil {
				t.Fatal(err)
			}
			derivatives := map[string]*Node{
				"text.prompts": p.embed, "text.features_raw": p.text.Feature, "text.features": p.t, "image.fine_tokens": p.out.Rows,
				"rows.all": p.out.All, "rows.top": p.out.Top, "rows.low": p.out.Low,
				"memory.text_out": p.out.Text, "memory.image_out": p.out.Image,
			}
			for name, n := range derivatives {
				outputs["dgrad."+name] = n.Deriv()
			}
			outputs["index"], outputs["assignment"] = p.out.Index, p.out.Assignment
			program := x.compile(p, outputs, nil)(map[string]graph.Tensor{"mask": ref.Tensor("train.memory.attn_weights_after_dropout")})
			x.wantInts(ref, mode+".write.assignment", program.Output("assignment").Int)
			index := program.Output("index").Int
			x.wantInts(ref, mode+".select.indices", index)
			for name, part := range map[string][2]int{"all": {0, 5}, "top": {0, 2}, "low": {2, 5}} {
				var rows []int // the rows of the tokens that are read: CLS, then patches as if they were rows
				for kept := range slices.Chunk(index, 5) {
					rows = append(append(rows, 0), kept[part[0]:part[1]]...)
				}
				x.wantInts(ref, mode+".select.gather_"+name, rows)
				var labels []int
				for _, y := range x.in.Ints("labels").Int {
					labels = append(labels, slices.Repeat([]int{y}, part[1]-part[0]+2)...)
				}
				x.wantInts(ref, mode+".labels."+name, labels)
			}
			delete(outputs, "index")
			delete(outputs, "assignment")
			for name := range outputs {
				x.want(ref, mode+"."+name, program.Output(name), "forward."+name)
			}
		})
	}
}

// The start is drawn from the published distributions, by the seed.
func TestStart(t *testing.T) {
	s := graph.New(graph.NewStore(nil), graph.Float32)
	New(s, Default(), 64, 100, 1)
	other := graph.New(graph.NewStore(nil), graph.Float32)
	New(other, Default(), 64, 100, 2)
	within := func(name string, low, high float64) {
		t.Helper()
		v := s.Find(name).Value.F32
		least, most := float64(slices.Min(v)), float64(slices.Max(v))
		if slack := (high - low) * .1; least < low || most > high || least > low+slack || most < high-slack {
			t.Errorf("%s starts in [%.4f, %.4f], want all of [%.4f, %.4f]", name, least, most, low, high)
		}
		if high > low && slices.Equal(v, other.Find(name).Value.F32) {
			t.Errorf("%s starts alike from two seeds", name)
		}
	}
	for _, l := range []string{"mid_image_trans.conv1.0", "mid_image_trans.conv1.3", "memory.mutitransformer.query", "memory.mutitransformer.out"} {
		within(l+".weight", -1./8, 1./8)
		within(l+".bias", -1./8, 1./8)
	}
	within("memory.extractor.weight", -1/math.Sqrt(128), 1/math.Sqrt(128))
	within("mid_image_trans.conv1.1.weight", 1, 1)
	within("mid_image_trans.conv1.1.bias", 0, 0)
	bank := s.Find(BankName).Value
	var cosines float64
	for i := range 25 {
		for j := range 25 {
			var dot float64
			for k, v := range bank.Row(i) {
				dot += float64(v) * float64(bank.Row(j)[k])
			}
			if i == j && math.Abs(dot-1) > 1e-6 {
				t.Errorf("prototype %d has length² %v", i, dot)
			}
			if i != j {
				cosines += dot / (25 * 24)
			}
		}
	}
	if math.Abs(cosines-.75) > .02 {
		t.Errorf("mean cosine of two prototypes is %.3f, want .75", cosines)
	}
}

// What is trained beside a prompt at the published width: 15 tensors, 2,101,248
// scalars, of which those of query and key can learn nothing.
func TestTrainables(t *testing.T) {
	s := graph.New(graph.NewStore(nil), graph.Float32)
	s.Sub("prompt").Var("context", graph.Trainable, graph.Zeros, 4, 512)
	New(s.Sub("spotlight"), Default(), 512, 100, 1)
	vars := s.Trainables()
	scalars, dead := 0, 0
	for _, v := range vars[1:] {
		scalars += v.Value.Len()
		for _, name := range []string{"query", "key"} {
			for _, part := range []string{".weight", ".bias"} {
				if v.Name == "spotlight.memory.mutitransformer."+name+part {
					dead += v.Value.Len()
				}
			}
		}
	}
	if len(vars) != 16 || scalars != 2101248 || dead != 525312 {
		t.Errorf("%d tensors, %d scalars beside the prompt, %d of query and key; want 16, 2101248, 525312", len(vars), scalars, dead)
	}
}
