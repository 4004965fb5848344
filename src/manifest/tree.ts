/** The names in a commit's tree; folders without trailing slash, '' = the root. */
export interface Tree {
  /** Is there a file of this path? */
  has(path: string): boolean;
  isDirectory(path: string): boolean;
  /** Files below a folder, recursively, full paths in any order. */
  below(folder: string): readonly string[];
}

/** The tree of these files. */
export function treeOf(paths: Iterable<string>): Tree {
  const sorted = [...paths].toSorted();
  const firstAt = (wanted: string) => {
    let [low, high] = [0, sorted.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sorted[middle]! < wanted) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  return {
    has: (path) => sorted[firstAt(path)] === path,
    isDirectory: (path) => path === '' || (sorted[firstAt(`${path}/`)]?.startsWith(`${path}/`) ?? false),
    // '0' is the character after '/'.
    below: (folder) => (folder === '' ? sorted : sorted.slice(firstAt(`${folder}/`), firstAt(`${folder}0`))),
  };
}
