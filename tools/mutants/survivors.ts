/** Mutants that no case can notice, and why. A test holds the list to what survives. */
export const survivors: readonly { readonly why: string; readonly mutants: readonly string[] }[] = [
  {
    why: "The left side is always there; the compiler cannot see that an index is in range.",
    mutants: [
      "float64.ts targets: kept[i] ?? 0 -> kept[i] ?? 1",
      "float64.ts targets: kept[i] ?? 0 -> kept[i] ?? -1",
      "float64.ts mean: x.shape[axis] ?? 1 -> x.shape[axis] ?? 2",
      "float64.ts mean: x.shape[axis] ?? 1 -> x.shape[axis] ?? 0",
      "float64.ts shape: x.shape[axis] ?? 1 -> x.shape[axis] ?? 2",
      "float64.ts shape: x.shape[axis] ?? 1 -> x.shape[axis] ?? 0",
      "float64.ts transpose: own[axis] ?? 0 -> own[axis] ?? 1",
      "float64.ts transpose: own[axis] ?? 0 -> own[axis] ?? -1",
      "float64.ts start: begin[i] ?? 0 -> begin[i] ?? 1",
      "float64.ts start: begin[i] ?? 0 -> begin[i] ?? -1",
      "float64.ts start: strides[joined.axis] ?? 0 -> strides[joined.axis] ?? 1",
      "float64.ts start: strides[joined.axis] ?? 0 -> strides[joined.axis] ?? -1",
      "float64.ts parts: x.shape[joined.axis] ?? 0 -> x.shape[joined.axis] ?? 1",
      "float64.ts parts: x.shape[joined.axis] ?? 0 -> x.shape[joined.axis] ?? -1",
      "float64.ts gather: x.shape[along] ?? 0 -> x.shape[along] ?? 1",
      "float64.ts gather: x.shape[along] ?? 0 -> x.shape[along] ?? -1",
      "float64.ts positions: indices[at(place, i)] ?? 0 -> indices[at(place, i)] ?? 1",
      "float64.ts positions: indices[at(place, i)] ?? 0 -> indices[at(place, i)] ?? -1",
      "float64.ts positions: strides[along] ?? 0 -> strides[along] ?? 1",
      "float64.ts positions: strides[along] ?? 0 -> strides[along] ?? -1",
      "float64.ts length: x.shape[along] ?? 0 -> x.shape[along] ?? 1",
      "float64.ts length: x.shape[along] ?? 0 -> x.shape[along] ?? -1",
      "float64.ts line: strides[along] ?? 0 -> strides[along] ?? 1",
      "float64.ts line: strides[along] ?? 0 -> strides[along] ?? -1",
      "float64.ts sort: ascending[i] ?? 0 -> ascending[i] ?? 1",
      "float64.ts sort: ascending[i] ?? 0 -> ascending[i] ?? -1",
      "float64.ts walk: strides[axis] ?? 0 -> strides[axis] ?? 1",
      "float64.ts walk: strides[axis] ?? 0 -> strides[axis] ?? -1",
      "shapes.ts lastTwo: [first = 1, second = 1] -> [first = 2, second = 1]",
      "shapes.ts lastTwo: [first = 1, second = 1] -> [first = 0, second = 1]",
      "shapes.ts lastTwo: [first = 1, second = 1] -> [first = 1, second = 2]",
      "shapes.ts lastTwo: [first = 1, second = 1] -> [first = 1, second = 0]",
      "shapes.ts fits: [from = 0, count = 0] -> [from = 1, count = 0]",
      "shapes.ts fits: [from = 0, count = 0] -> [from = -1, count = 0]",
      "shapes.ts fits: [from = 0, count = 0] -> [from = 0, count = 1]",
      "shapes.ts fits: [from = 0, count = 0] -> [from = 0, count = -1]",
      "shapes.ts total: shape[along] ?? 0 -> shape[along] ?? 1",
      "shapes.ts total: shape[along] ?? 0 -> shape[along] ?? -1",
    ],
  },
  {
    why: "The two operands of a sum or a product may change places.",
    mutants: [
      "float64.ts unary: mul(dy, derivative(x, output)) -> mul(derivative(x, output), dy)",
      "float64.ts mul: mul(dy, y) -> mul(y, dy)",
      "float64.ts mul: mul(dy, x) -> mul(x, dy)",
      "float64.ts div: mul(dy, x) -> mul(x, dy)",
      "float64.ts maximum: mul(dy, greaterEqual(x, y)) -> mul(greaterEqual(x, y), dy)",
      "float64.ts maximum: mul(dy, sub(1, greaterEqual(x, y))) -> mul(sub(1, greaterEqual(x, y)), dy)",
      "float64.ts minimum: mul(dy, greaterEqual(y, x)) -> mul(greaterEqual(y, x), dy)",
      "float64.ts minimum: mul(dy, sub(1, greaterEqual(y, x))) -> mul(sub(1, greaterEqual(y, x)), dy)",
      "float64.ts square: mul(x, 2) -> mul(2, x)",
      "float64.ts concat: add(total, part) -> add(part, total)",
      "float64.ts valueAndGrad: add(known, gradient) -> add(gradient, known)",
    ],
  },
  {
    why: "It saves a copy or an entry of the tape, and changes no value.",
    mutants: [
      "float64.ts broadcastTo: sameShape(x.shape, shape) -> false",
      "float64.ts broadcastTo: sameShape(x.shape, shape) -> sameShape(shape, x.shape)",
      "float64.ts customGradient: tapes = []; -> ;",
    ],
  },
  {
    why: "Any number below 0 means that there is no winner yet.",
    mutants: [
      "float64.ts winners: new Int32Array(sizeOf(shape)).fill(-1) -> new Int32Array(sizeOf(shape)).fill(-2)",
    ],
  },
  {
    why: "What it writes beyond the result is not kept: a typed array has no such places.",
    mutants: [
      "float64.ts matMul: for (let n = 0; n < sizeOf(batch); n++) for …a, from + j * yColumn); } -> for (let n = -1; n < sizeOf(batch); n++) for…a, from + j * yColumn); }",
      "float64.ts matMul: n < sizeOf(batch) -> n <= sizeOf(batch)",
      "float64.ts walk: j < size -> j <= size",
    ],
  },
  {
    why: "The gradient at a tie is left open.",
    mutants: ["float64.ts max: a > b -> a >= b", "float64.ts min: a < b -> a <= b"],
  },
  {
    why: "It compares two lists, and either may come first.",
    mutants: [
      "float64.ts customGradient: checkGradients( gradients.map((g) => g.shape…en.map((x) => x.shape), ) -> checkGradients(given.map((x) => x.shape), gr…ents.map((g) => g.shape))",
    ],
  },
  {
    why: "A sum of begin and size, each of which is checked alike.",
    mutants: ["shapes.ts fits: [begin[i], size[i]] -> [size[i], begin[i]]"],
  },
  {
    why: "A reduction over axes in another order is the same.",
    mutants: [
      "shapes.ts resolved: axes.map((axis) => resolveAxis(operation, ax…k)).sort((a, b) => a - b) -> axes.map((axis) => resolveAxis(operation, axis, rank))",
      "shapes.ts resolved: a - b -> a + b",
    ],
  },
  {
    why: "A list of indices can be walked as it is.",
    mutants: ["shapes.ts checkIndices: Array.from(indices) -> indices"],
  },
  {
    why: "Only the wording of a message changes.",
    mutants: [
      'float64.ts allReduceMean: unsupported(name, "allReduceMean") -> unsupported(name, "")',
      'float64.ts characteristicMeans: unsupported(name, "characteristicMeans") -> unsupported(name, "")',
      "error.ts unsupported: `${String(capability)}: the ${String(adapter… or use another adapter.` -> `${String(capability)}: the ${String(adapter… or use another adapter.`",
    ],
  },
  {
    why: "What is no tensor of the adapter is refused for callers without a compiler; the contract leaves it open.",
    mutants: [
      "float64.ts float64Adapter: checkedAdapter(adapter, isFloat64Tensor) -> adapter",
      'float64.ts isFloat64Tensor: if (typeof value !== "object" || value === null) return false; -> return value; if (typeof value !== "object" …e === null) return false;',
      'float64.ts isFloat64Tensor: typeof value !== "object" || value === null -> false',
      'float64.ts isFloat64Tensor: typeof value !== "object" || value === null -> typeof value !== "object" && value === null',
      "float64.ts isFloat64Tensor: return false; -> return true;",
      "float64.ts isFloat64Tensor: Array.isArray(shape) && data instanceof Float64Array -> Array.isArray(shape) || data instanceof Float64Array",
    ],
  },
  {
    why: "A list of length -1 is empty too.",
    mutants: [
      "shapes.ts rank: Math.max(0, ...shapes.map((shape) => shape.length)) -> Math.max(-1, ...shapes.map((shape) => shape.length))",
    ],
  },
];
