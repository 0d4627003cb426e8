// Command stages writes what a CLIP computes at every stage, for parity.py to
// compare: pixels, embeddings, blocks, features, logits, and the gradient of
// the context vectors.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/internal/clip"
	"spotlighter/internal/weights"
	"spotlighter/layers"
	"spotlighter/textenc"
	"spotlighter/vit/preprocess"
)

// contextVectors is M, the number of learned vectors before each class name.
const contextVectors = 4

func main() {
	model := flag.String("clip", "", "checkpoint")
	images := flag.String("images", "", "paths of images, separated by commas")
	classes := flag.String("classes", "", "class names, separated by commas")
	out := flag.String("out", "", "safetensors file to write")
	flag.Parse()
	if err := run(*model, strings.Split(*images, ","), strings.Split(*classes, ","), *out); err != nil {
		fmt.Fprintln(os.Stderr, "stages:", err)
		os.Exit(1)
	}
}

func run(path string, images, classes []string, out string) error {
	m, err := clip.Open(path)
	if err != nil {
		return err
	}
	side := m.Vision.ImageSize
	pixels := graph.NewTensor(graph.Float32, len(images), 3, side, side)
	for i, p := range images {
		img, err := preprocess.Decode(p)
		if err != nil {
			return err
		}
		copy(pixels.Row(i), m.Transform.Apply(img))
	}
	ids := make([][]int, len(classes))
	for i, c := range classes {
		if ids[i], err = m.Tokens(strings.Repeat("X ", contextVectors) + c + "."); err != nil {
			return err
		}
	}
	prompts, err := textenc.NewPrompts(ids, m.Text.Context)
	if err != nil {
		return err
	}
	prompts.Words = contextVectors
	s, enc, err := m.Scope()
	if err != nil {
		return err
	}
	nodes, err := build(m, s, enc, pixels, prompts)
	if err != nil {
		return err
	}
	program, err := s.Compile(cpu.NewPool(0), nodes)
	if err != nil {
		return err
	}
	if err := program.Run(context.Background(), nil); err != nil {
		return err
	}
	tensors := map[string]weights.Tensor{"pixels": {Shape: pixels.Shape, Data: pixels.F32}}
	for name := range nodes {
		t := program.Output(name)
		tensors[name] = weights.Tensor{Shape: t.Shape, Data: t.F32}
	}
	for name, t := range map[string]graph.Tensor{"ids": prompts.IDTensor(), "eot": prompts.EOTTensor()} {
		x := weights.Tensor{Shape: t.Shape}
		for _, v := range t.Int {
			x.Data = append(x.Data, float32(v))
		}
		tensors[name] = x
	}
	return weights.Save(out, tensors, nil, "F32")
}

// build names the nodes of every stage. The loss of the gradient is the mean
// cross-entropy of the images' logits, image i being of class i.
func build(m *clip.Model, s *graph.Scope, enc clip.Encoders, pixels graph.Tensor, prompts textenc.Prompts) (map[string]*graph.Node, error) {
	nodes := map[string]*graph.Node{}
	learned := s.Sub("prompt")
	err := graph.Try(func() {
		v := enc.Vision.Forward(s.Const(pixels))
		nodes["vision.embedding"] = v.Tokens[0]
		for l, x := range v.Tokens[1:] {
			nodes[fmt.Sprintf("vision.block.%d", l)] = x
		}
		last := v.Tokens[len(v.Tokens)-1]
		nodes["vision.ln_post"] = enc.Vision.Post.Forward(last)
		nodes["vision.patches"] = enc.Vision.PatchTokens(v)
		nodes["vision.projection"] = v.Feature

		vectors := learned.Var("context", graph.Trainable, graph.Normal(3, .02), contextVectors, m.Text.Width)
		t := enc.Text.Forward(enc.Text.Compose(prompts, textenc.Context{Vectors: vectors}, 0))
		nodes["text.context"] = vectors
		nodes["text.embedding"] = t.Tokens[0]
		for l, x := range t.Tokens[1:] {
			nodes[fmt.Sprintf("text.block.%d", l)] = x
		}
		nodes["text.ln_final"] = t.Last
		nodes["text.projection"] = t.Feature
		image, text := layers.L2Normalize(v.Feature, 0), layers.L2Normalize(t.Feature, 0)
		nodes["logits"] = layers.Scale(layers.MatMul(image, text, false, true), m.Scale)
		labels := graph.NewTensor(graph.Int, pixels.Shape[0])
		for i := range labels.Int {
			labels.Int[i] = i % len(prompts.IDs)
		}
		nodes["loss"] = layers.CrossEntropy(nodes["logits"], s.Const(labels))
	})
	if err != nil {
		return nil, err
	}
	grads, err := s.Grad(nodes["loss"], []*graph.Variable{learned.Find("context")})
	if err != nil {
		return nil, err
	}
	nodes["text.context.gradient"] = grads[0]
	return nodes, nil
}
