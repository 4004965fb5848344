const node = String.raw`[A-Za-z]\w*(?:\[[^\]]+\]|\([^)]+\)|\{[^}]+\})?`;
const arrow = String.raw`(?:-->|-\.->|-- [^-]+ -->|-\. [^.]+ \.->|<--)`;
const edge = new RegExp(String.raw`^${node}(?: ${arrow} ${node})*$`);
const message = /^[A-Za-z]\w*-?->>[A-Za-z]\w*: .+$/;

/** What is wrong with a Mermaid picture: only flowcharts and sequences of the plainest grammar are used here. */
export function pictureFaults(text: string): readonly string[] {
  const [first, ...lines] = text.trimEnd().split('\n');
  const inner = lines.map((line) => line.trim()).filter((line) => line !== '');
  if (/^flowchart (LR|TB)$/.test(first!))
    return inner.filter((line) => !edge.test(line) && !/^(subgraph \w+\[[^\]]+\]|end)$/.test(line));
  if (first !== 'sequenceDiagram') return [`no picture of ours begins with ${first}`];
  const names = inner.flatMap((line) => /^participant (\w+) as .+$/.exec(line)?.[1] ?? []);
  return inner.filter((line) => {
    if (/^participant \w+ as .+$/.test(line) || /^Note over \w+(,\w+)?: .+$/.test(line)) return false;
    const ends = /^(\w+?)-?->>(\w+):/.exec(line);
    return !message.test(line) || !ends || ![ends[1]!, ends[2]!].every((name) => names.includes(name));
  });
}
