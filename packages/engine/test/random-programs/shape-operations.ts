/** Rows of operations that make tensors, move elements, or read and add at computed places. */
import { call, listCall, NothingToDraw, type Draw, type DrawnValue } from "./draw.js";
import type { OperationRow } from "./elementwise-operations.js";
import { sizeOf } from "./program.js";

/** A shape of the same number of elements. */
function otherShape(d: Draw, { shape }: DrawnValue): number[] {
  let left = sizeOf(shape);
  if (left === 0) return d.chance(0.5) ? [0] : [d.whole(1, 3), 0];
  const result: number[] = [];
  const rank = d.whole(0, 6);
  while (result.length < rank - 1) {
    const divisors = [1, 2, 3, 4, 5, 7].filter((divisor) => left % divisor === 0);
    const chosen = d.one(divisors);
    result.push(chosen);
    left /= chosen;
  }
  if (left > 1 || rank > result.length) result.push(left);
  return result;
}

const ofRank = (d: Draw, least: number, most = 6): DrawnValue => {
  const dtype = d.one(["float32", "float32", "float32", "int32"] as const);
  return d.value(
    ({ shape }) => shape.length >= least && shape.length <= most,
    () => d.shape(d.whole(least, most)),
    dtype,
    dtype === "int32" ? { low: -3, high: 5 } : undefined,
  );
};

/** Indices into an axis: an input, so that they are known to lie within. */
const indices = (d: Draw, shape: readonly number[], length: number): DrawnValue => {
  if (length < 1) throw new NothingToDraw();
  return d.input(shape, { low: 0, high: length - 1 }, "int32");
};

export const shapeOperations: Readonly<Record<string, OperationRow>> = {
  "tf.reshape": (d) => {
    const x = d.any();
    const shape = otherShape(d, x);
    if (shape.length > 0 && sizeOf(shape) > 0 && d.chance(0.2))
      shape[d.whole(0, shape.length - 1)] = -1;
    return call`tf.reshape(${x}, ${shape})`;
  },
  "tf.expandDims": (d) => {
    const x = d.value(
      ({ shape }) => shape.length < 6,
      () => d.shape(d.whole(0, 5)),
    );
    const axis = d.whole(0, x.shape.length);
    return call`tf.expandDims(${x}, ${d.chance(0.3) ? axis - x.shape.length - 1 : axis})`;
  },
  "tf.squeeze": (d) => call`tf.squeeze(${d.any()})`,
  "tf.transpose": (d) => {
    const x = d.any();
    const order = x.shape.map((_, axis) => axis);
    for (let i = order.length - 1; i > 0; i--) {
      const j = d.whole(0, i);
      [order[i], order[j]] = [order[j]!, order[i]!];
    }
    return call`tf.transpose(${x}, ${order})`;
  },
  "tf.concat": (d) => {
    const first = ofRank(d, 1);
    const axis = d.axis(first);
    const at = axis < 0 ? axis + first.shape.length : axis;
    const fits = ({ shape }: DrawnValue): boolean =>
      shape.length === first.shape.length &&
      shape.every((length, i) => i === at || length === first.shape[i]);
    const dtype = first.dtype as "float32" | "int32";
    const more = Array.from({ length: d.whole(0, 2) }, () =>
      d.value(fits, () => first.shape.map((length, i) => (i === at ? d.length() : length)), dtype),
    );
    return call`tf.concat(${[first, ...more]}, ${axis})`;
  },
  "tf.stack": (d) => {
    const first = ofRank(d, 0, 5);
    const dtype = first.dtype as "float32" | "int32";
    const more = Array.from({ length: d.whole(0, 2) }, () =>
      d.value(
        ({ shape }) => String(shape) === String(first.shape),
        () => first.shape,
        dtype,
      ),
    );
    return call`tf.stack(${[first, ...more]}, ${d.whole(0, first.shape.length)})`;
  },
  "tf.unstack": (d) => {
    const x = d.value(
      ({ shape }) => shape.length > 0 && shape[0]! > 0 && shape[0]! <= 5,
      () => [d.whole(1, 4), ...d.shape(d.whole(0, 3))],
    );
    return listCall`tf.unstack(${x}, ${0})`;
  },
  "tf.split": (d) => {
    const x = ofRank(d, 1);
    const axis = d.axis(x);
    const length = x.shape.at(axis)!;
    if (length > 1 && d.chance(0.5)) {
      const first = d.whole(d.chance(0.1) ? 0 : 1, length - 1);
      return listCall`tf.split(${x}, ${[first, length - first]}, ${axis})`;
    }
    const parts = d.one([1, 2, 3, 4, 5].filter((count) => length > 0 && length % count === 0));
    return listCall`tf.split(${x}, ${parts}, ${axis})`;
  },
  "tf.slice": (d) => {
    const x = ofRank(d, 1);
    const begin = x.shape.map((length) => d.whole(0, Math.max(0, length - 1)));
    const size = x.shape.map((length, axis) => {
      if (d.chance(0.2)) return -1;
      return d.whole(d.chance(0.08) ? 0 : Math.min(1, length), length - begin[axis]!);
    });
    return call`tf.slice(${x}, ${begin}, ${size})`;
  },
  "tf.stridedSlice": (d) => {
    const x = ofRank(d, 1);
    const backwards = x.shape.map(() => d.chance(0.3));
    const begin = x.shape.map((length, i) => (backwards[i] ? length - 1 : d.whole(0, length - 1)));
    const end = x.shape.map((length, i) => (backwards[i] ? 0 : length));
    const strides = x.shape.map((_, i) => (backwards[i] ? -1 : 1) * d.whole(1, 3));
    return call`tf.stridedSlice(${x}, ${begin}, ${end}, ${strides}, ${d.one([0, 0, 1])}, ${d.one([0, 0, 1])}, 0, 0, ${d.one([0, 0, 1])})`;
  },
  "tf.tile": (d) => {
    const x = d.value(
      ({ shape }) => shape.length > 0 && sizeOf(shape) < 500,
      () => d.shape(d.whole(1, 5)),
    );
    return call`tf.tile(${x}, ${x.shape.map(() => d.one([1, 1, 2, 3]))})`;
  },
  "tf.broadcastTo": (d) => {
    const x = d.value(
      ({ shape }) => sizeOf(shape) < 500,
      () => d.shape(d.whole(0, 4)),
    );
    const shape = x.shape.map((length) => (length === 1 ? d.whole(1, 4) : length));
    const more = Array.from({ length: d.chance(0.3) ? 1 : 0 }, () => d.whole(1, 3));
    return call`tf.broadcastTo(${x}, ${[...more, ...shape]})`;
  },
  "tf.pad": (d) => {
    const x = ofRank(d, 1, 5);
    const paddings = x.shape.map(() => [d.one([0, 0, 1, 2]), d.one([0, 0, 1, 3])]);
    return call`tf.pad(${x}, ${paddings}, ${d.one([0, 0, 1])})`;
  },
  "tf.mirrorPad": (d) => {
    const x = d.value(
      ({ shape }) => shape.length > 0 && shape.length <= 4,
      () => d.shape(d.whole(1, 4)),
    );
    const mode = d.one(["reflect", "symmetric"]);
    const reach = (length: number) =>
      d.whole(0, Math.max(0, Math.min(2, mode === "reflect" ? length - 1 : length)));
    return call`tf.mirrorPad(${x}, ${x.shape.map((length) => [reach(length), reach(length)])}, ${mode})`;
  },
  "tf.reverse": (d) => {
    const x = d.any();
    return call`tf.reverse(${x}, ${d.axes(x)})`;
  },
  "tf.image.flipLeftRight": (d) => call`tf.image.flipLeftRight(${d.images()})`,
  "tf.diag": (d) =>
    call`tf.diag(${d.value(
      ({ shape }) => shape.length > 0 && shape.length <= 3 && sizeOf(shape) <= 20,
      () => [d.whole(1, 6)],
    )})`,
  "tf.depthToSpace": (d) => {
    const block = d.whole(2, 3);
    const x = d.value(
      ({ shape }) => shape.length === 4 && shape[3]! % (block * block) === 0,
      () => [d.whole(1, 2), d.whole(1, 3), d.whole(1, 3), block * block * d.whole(1, 2)],
    );
    return call`tf.depthToSpace(${x}, ${block})`;
  },
  "tf.batchToSpaceND": (d) => {
    const [m, n] = [d.whole(1, 2), d.whole(1, 3)];
    const x = d.input([m * n * d.whole(1, 2), d.whole(1, 3), d.whole(1, 3), d.whole(1, 5)]);
    return call`tf.batchToSpaceND(${x}, ${[m, n]}, ${[
      [0, m - 1],
      [d.whole(0, n - 1), 0],
    ]})`;
  },
  "tf.spaceToBatchND": (d) => {
    const [m, n] = [d.whole(1, 2), d.whole(1, 3)];
    const x = d.images();
    const fill = (length: number, block: number) => (block - (length % block)) % block;
    return call`tf.spaceToBatchND(${x}, ${[m, n]}, ${[
      [0, fill(x.shape[1]!, m)],
      [fill(x.shape[2]!, n), 0],
    ]})`;
  },
  "tf.gather": (d) => {
    const x = ofRank(d, 1, 5);
    const axis = d.axis(x);
    const length = x.shape.at(axis)!;
    return call`tf.gather(${x}, ${indices(d, d.shape(d.whole(0, 2)), length)}, ${axis})`;
  },
  "tf.gather, batched": (d) => {
    const x = ofRank(d, 2, 4);
    const axis = d.whole(1, x.shape.length - 1);
    const picked = d.whole(1, 3);
    return call`tf.gather(${x}, ${indices(d, [x.shape[0]!, picked], x.shape[axis]!)}, ${axis}, 1)`;
  },
  "tf.gatherND": (d) => {
    const x = ofRank(d, 1, 4);
    const depth = d.whole(1, x.shape.length);
    const least = Math.min(...x.shape.slice(0, depth));
    return call`tf.gatherND(${x}, ${indices(d, [...d.shape(d.whole(0, 1)), depth], least)})`;
  },
  "tf.scatterND": (d) => {
    const updates = ofRank(d, 1, 3);
    const rows = d.whole(1, 5);
    const places = indices(d, [updates.shape[0]!, 1], rows);
    return call`tf.scatterND(${places}, ${updates}, ${[rows, ...updates.shape.slice(1)]})`;
  },
  "tf.tensorScatterUpdate": (d) => {
    const x = d.value(
      ({ shape }) => shape.length > 0 && shape.length <= 3,
      () => d.shape(d.whole(1, 3)),
    );
    // One place, or the order of two at the same one would count.
    const update = d.value(
      ({ shape }) => String(shape) === String([1, ...x.shape.slice(1)]),
      () => [1, ...x.shape.slice(1)],
    );
    return call`tf.tensorScatterUpdate(${x}, ${indices(d, [1, 1], x.shape[0]!)}, ${update})`;
  },
  "tf.unsortedSegmentSum": (d) => {
    const x = d.value(
      ({ shape }) => shape.length > 0,
      () => d.shape(d.whole(1, 4)),
    );
    const segments = d.whole(1, 5);
    const ids = d.input([x.shape[0]!], { low: d.one([0, 0, -1]), high: segments - 1 }, "int32");
    return call`tf.unsortedSegmentSum(${x}, ${ids}, ${segments})`;
  },
  "tf.oneHot": (d) => {
    const depth = d.whole(1, 5);
    const x = d.input(d.shape(d.whole(0, 2)), { low: -1, high: depth }, "int32");
    return d.chance(0.5)
      ? call`tf.oneHot(${x}, ${depth})`
      : call`tf.oneHot(${x}, ${depth}, 0.75, 0.25, "float32")`;
  },
  "tf.fill": (d) => call`tf.fill(${d.shape(d.whole(0, 4))}, ${d.number(-2, 2)})`,
  "tf.zeros": (d) => {
    const shape = d.shape(d.whole(1, 4));
    if (d.chance(0.5)) shape[d.whole(0, shape.length - 1)] = 0;
    return call`tf.zeros(${shape}, ${d.one(["float32", "float32", "int32", "bool"])})`;
  },
  "tf.range": (d) =>
    d.chance(0.5)
      ? call`tf.range(${d.whole(-2, 2)}, ${d.whole(3, 9)}, ${d.whole(1, 2)})`
      : call`tf.range(${d.whole(4, 9)}, 0, -1, "int32")`,
  "tf.linspace": (d) => call`tf.linspace(${d.number(-2, 0)}, ${d.number(0, 2)}, ${d.whole(1, 8)})`,
  "tf.tensor": (d) => {
    const length = d.whole(1, 4);
    return call`tf.tensor(${Array.from({ length }, () => d.number(-2, 2))}, ${[length]})`;
  },
  "tf.eye": (d) => call`tf.eye(${d.whole(1, 5)}, ${d.whole(1, 5)})`,
};
