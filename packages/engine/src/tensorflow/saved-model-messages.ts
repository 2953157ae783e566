/** The messages of TensorFlow's SavedModel format that our models use, as protobufjs reads descriptors.
 *  Source: tensorflow/core/framework/{graph,node_def,attr_value,tensor,tensor_shape}.proto and
 *  tensorflow/core/protobuf/{saved_model,meta_graph}.proto of TensorFlow 2.21, field numbers and enumerations only. */
import protobuf from "protobufjs/light.js";

const field = (type: string, id: number) => ({ type, id });
const repeated = (type: string, id: number) => ({ rule: "repeated", type, id });

const { nested: tensorflow } = protobuf.Root.fromJSON({
  nested: {
    SavedModel: {
      fields: {
        savedModelSchemaVersion: field("int64", 1),
        metaGraphs: repeated("MetaGraphDef", 2),
      },
    },
    // A GraphDef is given as bytes, since messages laid end to end are one message with the repeated fields of both.
    MetaGraphDef: {
      fields: { metaInfoDef: field("MetaInfoDef", 1), graphDef: field("bytes", 2) },
    },
    MetaInfoDef: {
      fields: { tags: repeated("string", 4), tensorflowVersion: field("string", 5) },
    },
    GraphDef: {
      fields: {
        node: repeated("NodeDef", 1),
        versions: field("VersionDef", 4),
      },
    },
    VersionDef: { fields: { producer: field("int32", 1) } },
    NodeDef: {
      fields: {
        name: field("string", 1),
        op: field("string", 2),
        input: repeated("string", 3),
        attr: { keyType: "string", type: "AttrValue", id: 5 } as protobuf.IField,
      },
    },
    AttrValue: {
      // In a choice of one, zero and false are written out like any other value.
      oneofs: { value: { oneof: ["list", "s", "i", "f", "b", "type", "shape", "tensor"] } },
      fields: {
        list: field("ListValue", 1),
        s: field("bytes", 2),
        i: field("int64", 3),
        f: field("float", 4),
        b: field("bool", 5),
        type: field("int32", 6),
        shape: field("TensorShapeProto", 7),
        tensor: field("TensorProto", 8),
      },
    },
    ListValue: { fields: { i: repeated("int64", 3), type: repeated("int32", 6) } },
    TensorShapeProto: { fields: { dim: repeated("Dim", 2) } },
    Dim: { fields: { size: field("int64", 1) } },
    TensorProto: {
      fields: {
        dtype: field("int32", 1),
        tensorShape: field("TensorShapeProto", 2),
        tensorContent: field("bytes", 4),
        floatVal: repeated("float", 5),
        doubleVal: repeated("double", 6),
        intVal: repeated("int32", 7),
        int64Val: repeated("int64", 10),
        boolVal: repeated("bool", 11),
        halfVal: repeated("int32", 13),
      },
    },
  },
});

export const graphMessage = tensorflow!.GraphDef as protobuf.Type;
export const savedModelMessage = tensorflow!.SavedModel as protobuf.Type;

/** DataType. */
export const dataType = {
  float32: 1,
  float64: 2,
  int32: 3,
  int64: 9,
  bool: 10,
  bfloat16: 14,
} as const;
