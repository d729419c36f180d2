import Foundation
import Fuzzing

@testable import Formats
@testable import Text

/// Targets whose input bytes choose how a file is composed, so that most pass the first check.
extension Target {
  nonisolated(unsafe) static let structure: [String: Target] = [
    "pickle-structure": Target { _ = try Pickle.decode(pickle($0)) },
    "torch-view": Target { bytes in
      let tensor = view(bytes)
      try tensor.check()
      _ = try tensor.array(from: [UInt8](repeating: 1, count: 64))
    },
    "tokenizer-json": Target(file: { path in
      let named = path + ".json"
      defer { unlink(named) }
      guard link(path, named) == 0 else { return }
      _ = try TokenizerFiles(folder: named)
    }),
  ]

  /// Returns a pickle of calls, tensors, containers and memo entries, one piece a byte.
  private static func pickle(_ bytes: [UInt8]) -> [UInt8] {
    let storage = "(S'storage'\nctorch\nFloatStorage\nS'0'\nS'cpu'\nI4\ntQ"
    let pieces = [
      "(", "]", "}", ")", "l", "d", "t", "a", "s", "e", "u", "0", "1", "2", "R", "b", "N", "I1\n", "F1.5\n",
      "S'x'\n", "p0\n", "p1\n", "g0\n", "g1\n", "c__builtin__\nlist\n", "c_codecs\nencode\n",
      "ccollections\nOrderedDict\n", "ctorch._utils\n_rebuild_tensor_v2\n", storage,
      "(I2\nI2\nt", "(I2\nI1\nt", "cargparse\nNamespace\n", "ctorch._utils\n_rebuild_parameter\n",
      "cnumpy.core.multiarray\n_reconstruct\n", "cnumpy\ndtype\n", "S'f4'\n", "(S'latin1'\nt",
    ]
    return bytes.flatMap { Array(pieces[Int($0) % pieces.count].utf8) } + Array(".".utf8)
  }

  /// Returns a view of a storage of 16 numbers: an offset, then a size and a stride a dimension.
  private static func view(_ bytes: [UInt8]) -> TorchTensor {
    let values = [0, 1, 2, 3, 7, 15, 16, 17, Int(Int32.max), Int.max - 1, Int.max, -1, Int.min]
    let numbers = bytes.map { $0 < 200 ? values[Int($0) % values.count] : Int($0) }
    let pairs = stride(from: 1, to: max(1, numbers.count - 1), by: 2).map { (numbers[$0], numbers[$0 + 1]) }
    let storage = TorchStorage(key: "0", type: .float32, count: 16, start: 0)
    return TorchTensor(
      storage: storage, offset: numbers.first ?? 0, shape: pairs.map(\.0), strides: pairs.map(\.1))
  }
}
