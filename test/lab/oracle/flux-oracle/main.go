// Package main lets tests ask Flux's own packages: what Flux makes of an artifact, of ignore rules and of a folder.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/fluxcd/pkg/oci"
	"github.com/fluxcd/pkg/sourceignore"
	"github.com/fluxcd/pkg/tar"
	"github.com/google/go-containerregistry/pkg/crane"
)

func main() {
	if len(os.Args) != 4 {
		fail(fmt.Errorf("usage: flux-oracle pull URL FOLDER | untar LAYER FOLDER | keep FOLDER FOLDER | build FOLDER FILE"))
	}
	act, from, to := os.Args[1], os.Args[2], os.Args[3]
	var answer any
	var err error
	switch act {
	case "pull":
		client := oci.NewClient([]crane.Option{crane.Insecure})
		answer, err = client.Pull(context.Background(), from, to)
	case "untar":
		err = untar(from, to)
	case "keep":
		err = keep(from, to)
	case "build":
		err = oci.NewClient(oci.DefaultOptions()).Build(to, from, nil)
	default:
		err = fmt.Errorf("unknown: %s", act)
	}
	if err != nil {
		fail(err)
	}
	json.NewEncoder(os.Stdout).Encode(answer)
}

// untar unpacks a layer as source-controller does.
func untar(layer, folder string) error {
	file, err := os.Open(layer)
	if err != nil {
		return err
	}
	defer file.Close()
	return tar.Untar(file, folder, tar.WithMaxUntarSize(-1), tar.WithSkipSymlinks())
}

// keep copies what is left of a folder after source-controller's ignore rules.
func keep(folder, kept string) error {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return err
	}
	domain := strings.Split(folder, string(filepath.Separator))
	patterns, err := sourceignore.LoadIgnorePatterns(folder, domain)
	if err != nil {
		return err
	}
	matcher := sourceignore.NewDefaultMatcher(patterns, domain)
	archive := filepath.Join(kept, ".archive")
	file, err := os.Create(archive)
	if err != nil {
		return err
	}
	defer os.Remove(archive)
	defer file.Close()
	filter := func(path string, info os.FileInfo) bool {
		return matcher.Match(strings.Split(path, string(filepath.Separator)), info.IsDir())
	}
	if _, err := tar.Tar(folder, file, tar.WithFilter(filter)); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	return untar(archive, kept)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
