package layers_test

import (
	"os"
	"testing"

	"spotlighter/graph/optest"
)

func TestMain(m *testing.M) { os.Exit(optest.Main(m)) }
