package methods

import (
	"fmt"

	"spotlighter/graph"
	"spotlighter/layers"
	"spotlighter/optim"
	"spotlighter/spotlight"
	"spotlighter/spotlight/release"
	"spotlighter/vit"
)

const promptKDName = "promptkd"

func init() {
	Register(Row{
		Name: promptKDName, Learns: true, Images: true, Taught: true,
		Section: Section{Key: promptKDName, Default: func() Settings { s := defaultPromptKD(); return &s }},
		New:     func(o Options) Method { return promptKD{o, settings[PromptKD](o, promptKDName)} },
	})
}

// PromptKD are the settings of PromptKD, and of what is plugged into it. The
// defaults are those of the published configuration for ViT-B/16, base to novel
// (zhengli97/PromptKD, vit_b16_c2_ep20_batch8_4+4ctx.yaml and base2new_train.sh).
type PromptKD struct {
	// Teacher is who teaches: a method, which is trained first, on the same data set
	// with the same seed and recipe, if its run is not done; the path of an
	// experiment's YAML, of which the same is done with its own recipe (the program
	// has those of experiments/ where its sources are not); the folder of a finished
	// run; or a checkpoint of a CLIP, as it is.
	Teacher string `yaml:"teacher"`
	// Clip is the checkpoint of a teacher that is trained here: "" is the student's,
	// or the YAML's.
	Clip string `yaml:"clip"`
	// Leak says what of the novel classes is seen in training: "published", the
	// unlabelled images of their training split and their names; or "none".
	Leak string `yaml:"leak"`
	// Shots are the unlabelled images a class; 0: all of the training split.
	Shots       int     `yaml:"shots"`
	Prompts     int     `yaml:"prompts"` // in each block of the student's image encoder
	Depth       int     `yaml:"depth"`   // blocks that have prompts; at most all are used
	Temperature float64 `yaml:"temperature"`
	Weight      float64 `yaml:"weight"` // of the loss: 200 for aircraft, flowers, textures
}

// What of the novel classes is seen in training.
const (
	LeakPublished = "published"
	LeakNone      = "none"
)

// TeacherOf are the settings of a row that is taught.
func TeacherOf(o Options) PromptKD { return settings[PromptKD](o, promptKDName) }

func defaultPromptKD() PromptKD {
	return PromptKD{Teacher: "coop", Leak: LeakPublished, Prompts: 4, Depth: 9, Temperature: 1, Weight: 1000}
}

// Validate implements Settings.
func (s *PromptKD) Validate() error {
	switch {
	case s.Teacher == "":
		return fmt.Errorf("promptkd.teacher: found nothing, want a method, an experiment's YAML, the folder of a run, or a checkpoint of a CLIP")
	case s.Leak != LeakPublished && s.Leak != LeakNone:
		return fmt.Errorf("promptkd.leak: %q is none of %s, %s", s.Leak, LeakPublished, LeakNone)
	case s.Shots < 0:
		return fmt.Errorf("promptkd.shots: found %d, want at least 1, or 0 for all", s.Shots)
	case s.Prompts < 1:
		return fmt.Errorf("promptkd.prompts: found %d, want at least 1", s.Prompts)
	case s.Depth < 1:
		return fmt.Errorf("promptkd.depth: found %d, want at least 1", s.Depth)
	case s.Temperature <= 0:
		return fmt.Errorf("promptkd.temperature: found %g, want above 0", s.Temperature)
	case s.Weight <= 0:
		return fmt.Errorf("promptkd.weight: found %g, want above 0", s.Weight)
	}
	return nil
}

// promptKD teaches the image encoder to see as a larger CLIP does (PromptKD: Li et
// al., arXiv 2403.02781): deep prompts beside the patches, and a projection into
// the teacher's width, where the teacher's class texts are used as they are. It
// learns from the teacher's logits of images alone; no label is used, and no text
// encoder of its own.
//
// Shapes: T the teacher's width.
type promptKD struct {
	Options
	PromptKD
}

func (m promptKD) Text(c CLIP, cl Classes) *Node {
	if cl.Teacher.F32 == nil {
		graph.Failf("promptkd.teacher: no class texts of it are at hand")
	}
	return c.Scope.Const(cl.Teacher)
}

func (m promptKD) Image(c CLIP, _ Classes, images *Node) vit.Output {
	s := c.Scope.Sub("prompt").Sub("visual")
	var prompts []*Node
	for l := range min(m.Depth, c.Vision.Layers) {
		prompts = append(prompts, s.Var(fmt.Sprint(l), graph.Trainable, graph.Normal(m.Seed, .02), m.Prompts, c.Vision.Width))
	}
	return c.Vision.Prompted(images, c.Vision.OwnScore, prompts...)
}

func (m promptKD) Build(c CLIP, _ Classes, b Batch) Outputs {
	student := m.student(c, b)
	o := Outputs{Logits: compare(c, student.Feature, b.Text)}
	if b.Labels == nil {
		return o
	}
	o.Loss = layers.Scale(layers.Distillation(o.Logits, b.Teacher, m.Temperature), m.Weight)
	o.Updates = student.Moments
	o.Groups = everything(c, m.Options)
	return o
}

// student is the image feature in the teacher's space.
type student struct {
	layers.Projector
	layers.Projected       // of a training batch
	Feature          *Node // unit [B, T]
}

// student projects the prompted encoder's feature.
func (m promptKD) student(c CLIP, b Batch) student {
	s := student{Projector: layers.NewProjector(c.Scope.Sub("projection"), m.Seed, c.Vision.Embed, layers.ShapeOf(b.Text)[1])}
	if b.Labels == nil {
		s.Feature = unit(s.Projector.Eval(b.Pass.Feature))
		return s
	}
	s.Projected = s.Projector.Train(b.Pass.Feature)
	s.Feature = unit(s.Rows)
	return s
}

// head is the projection as what follows the image encoder's head.
func (s student) head(b Batch) spotlight.Head {
	at, rows := s.AtTest(), s.Rows
	if b.Labels == nil {
		rows = at.Rows(b.Pass.Feature)
	} else {
		at = s.AtBatch(s.Projected)
	}
	return spotlight.Head{Feature: rows, Rows: at.Rows, Tangent: func(x *Node) *Node { return at.Tangent(b.Pass.Feature, x) }}
}

// publishedStudent is the published plug-in into PromptKD: variant release.
type publishedStudent struct{ promptKD }

func (m publishedStudent) Build(c CLIP, _ Classes, b Batch) Outputs {
	student := m.student(c, b)
	f := release.Encode(c.Vision, b.Pass)
	f.Image = student.Feature
	model := release.NewStudent(c.Scope.Sub("student"), m.Spotlight.Release, c.Vision.Embed, layers.ShapeOf(b.Text)[1], c.Model.Scale, m.Seed)
	if b.Labels == nil {
		return Outputs{Logits: model.Eval(f.Image, b.Text).Logits}
	}
	teacher := release.Teacher{Texts: b.Text, Logits: b.Teacher, Temperature: m.Temperature, Weight: m.PromptKD.Weight}
	out := model.Distill(f, teacher, model.Mask(layers.ShapeOf(b.Labels)[0]))
	return Outputs{
		Logits: out.Logits, Loss: out.Losses.Total, Updates: append(student.Moments, model.Updates(out)...), Groups: everything(c, m.Options),
	}
}

// everything that the graph declared trainable so far, under one SGD, as published.
func everything(c CLIP, o Options) []optim.Group {
	return []optim.Group{{
		Optimizer: optim.SGD{Momentum: o.Momentum, WeightDecay: o.WeightDecay}, LRScale: 1, Vars: c.Scope.Trainables(),
	}}
}
