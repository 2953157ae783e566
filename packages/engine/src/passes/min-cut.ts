/** An edge of a flow network. */
export interface FlowEdge<Vertex> {
  readonly from: Vertex;
  readonly to: Vertex;
  /** 0 or more; Infinity where it must not be cut. */
  readonly capacity: number;
}

/** The cheapest set of edges without which no way leads from `source` to `sink`; of several such sets the one that is
 *  nearest to the sink. By flows along shortest ways (Edmonds and Karp). Throws where every set has an edge that must not
 *  be cut. */
export function minCut<Vertex>(
  edges: readonly FlowEdge<Vertex>[],
  source: Vertex,
  sink: Vertex,
): readonly FlowEdge<Vertex>[] {
  // Edge 2 i is edge i, and 2 i + 1 what has flown along it and can flow back.
  const ends: Vertex[] = [];
  const left: number[] = [];
  const leaving = new Map<Vertex, number[]>();
  const add = (from: Vertex, to: Vertex, capacity: number): void => {
    const list = leaving.get(from);
    if (list) list.push(ends.length);
    else leaving.set(from, [ends.length]);
    ends.push(to);
    left.push(capacity);
  };
  for (const { from, to, capacity } of edges) {
    add(from, to, capacity);
    add(to, from, 0);
  }
  for (;;) {
    const way = shortestWay();
    if (way === undefined) break;
    const flow = Math.min(...way.map((edge) => left[edge]!));
    if (flow === Infinity) throw new Error("minCut: a way has no edge that may be cut.");
    for (const edge of way) {
      left[edge]! -= flow;
      left[edge ^ 1]! += flow;
    }
  }
  const behind = reachingSink();
  return edges.filter(({ from, to }) => !behind.has(from) && behind.has(to));

  function shortestWay(): readonly number[] | undefined {
    const reachedBy = new Map<Vertex, number>();
    const queue = [source];
    for (const vertex of queue)
      for (const edge of leaving.get(vertex) ?? []) {
        const next = ends[edge]!;
        if (left[edge]! <= 0 || next === source || reachedBy.has(next)) continue;
        reachedBy.set(next, edge);
        queue.push(next);
        if (next !== sink) continue;
        const way: number[] = [];
        for (let at = sink; at !== source; at = ends[way.at(-1)! ^ 1]!)
          way.push(reachedBy.get(at)!);
        return way;
      }
    return undefined;
  }

  function reachingSink(): ReadonlySet<Vertex> {
    const reaching = new Set([sink]);
    for (const vertex of reaching)
      for (const edge of leaving.get(vertex) ?? [])
        // Against the direction: the edge that comes from there is the other one of the pair.
        if (left[edge ^ 1]! > 0) reaching.add(ends[edge]!);
    return reaching;
  }
}
