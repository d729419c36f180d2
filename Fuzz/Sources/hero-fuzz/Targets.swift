import Formats
import Foundation
import Metrics
import Model

@testable import Bench
@testable import Corpus
@testable import Text
@testable import Training

extension Target {
  /// What a value of megabytes would only slow down.
  private static let limit = 1 << 20

  /// Every reader by its name.
  nonisolated(unsafe) static let all: [String: Target] = arrays.merging(weights) { $1 }.merging(records) {
    $1
  }
  .merging(stores) { $1 }.merging(text) { $1 }.merging(runs) { $1 }.merging(videos) { $1 }
  .merging(structure) { $1 }.merging(behind) { $1 }

  nonisolated(unsafe) private static let arrays: [String: Target] = [
    "npy": Target { _ = try NPY.decode($0) },
    "npz": Target { _ = try NPZ.read(bytes: $0, name: "features").count },
    "npz-file": Target(file: {
      let zip = try ZipReader(path: $0)
      for entry in zip.entries { _ = try NPY.decode(zip.read(entry)).count }
    }),
    "msgpack-numpy": Target {
      _ = try MessagePackNumpy.decode(try MessagePack.decode($0)["features"] ?? .nil)
    },
  ]

  nonisolated(unsafe) private static let weights: [String: Target] = [
    "pickle": Target { _ = try Pickle.decode($0) },
    "torch": Target(file: {
      let checkpoint = try TorchCheckpoint(path: $0)
      for (name, _) in checkpoint.arrays { _ = try checkpoint.array(named: name) }
    }),
    "safetensors": Target(file: {
      let file = try SafetensorsFile(path: $0)
      for entry in file.entries { _ = try file.array(entry) }
    }),
  ]

  /// What is read is written, and reads as the same.
  nonisolated(unsafe) private static let records: [String: Target] = [
    "json": Target { (bytes: [UInt8]) in
      let text: String = try JSON.parse(bytes).encoded()
      let again = try? JSON.parse(text).encoded()
      precondition(again == text, "JSON changes on its way")
    },
    "json-members": Target(file: { try JSON.readMembers(path: $0) { _, _ in } }),
    "jsonl": Target(file: { try JSONLines.read(path: $0) { _, _ in } }),
    "events": Target(file: { _ = try EventReader(path: $0).scalars.count }),
    "messagepack": Target { bytes in
      let encoded = try MessagePack.decode(bytes).encode()
      let again = try? MessagePack.decode(encoded).encode()
      precondition(again == encoded, "MessagePack changes on its way")
    },
    "compressed": Target { _ = try Compression.decompress($0, limit: limit) },
  ]

  nonisolated(unsafe) private static let stores: [String: Target] = [
    "lmdb": Target(file: { path in
      let store = try LMDBReader(path: path)
      // The keys lie somewhere in the file, and what is no key leads down the tree as well.
      let bytes = try FileBytes.read(path: path)
      for start in stride(from: 0, to: bytes.count, by: 1 + bytes.count / 200) {
        _ = try store.get(key: Array(bytes[start...].prefix(8)))
      }
      _ = try store.get("absent")
    }),
    "store-meta": Target(file: { _ = try StoreMeta(path: $0) }),
    "annotations": Target { bytes in
      guard let first = bytes.first else { return }
      let tasks = TextStoreTask.allCases
      try annotation(Array(bytes.dropFirst()), of: tasks[Int(first) % tasks.count])
    },
  ]

  private static func annotation(_ bytes: [UInt8], of task: TextStoreTask) throws {
    try Target(file: { path in
      let builder = TextStoreBuilder(task: task, annotation: path, output: "", tokenizer: "")
      try AnnotationFile(builder: builder).forEachRow { _, _ in }
    }).read(bytes)
  }

  nonisolated(unsafe) private static let text: [String: Target] = [
    "vocabulary": Target(file: { _ = try TokenizerFiles.vocabulary(at: $0) }),
    "merges": Target(file: { _ = try TokenizerFiles.merges(at: $0) }),
    // Tokens of any text are those of the text that they decode to.
    "tokenizer": Target { bytes in
      let text = String(decoding: bytes, as: UTF8.self)
      _ = tokenizer.encodeSubtitle(text)
      let spelt = tokenizer.decode(tokenizer.encodeQuery(text))
      _ = tokenizer.encode(spelt)
    },
  ]

  /// Of the folder that `HERO_FUZZ_TOKENIZER` names.
  static let tokenizer: Tokenizer = {
    let folder = ProcessInfo.processInfo.environment["HERO_FUZZ_TOKENIZER"] ?? ""
    do {
      return try Tokenizer(directory: folder)
    } catch {
      fatalError("\(error)")
    }
  }()

  nonisolated(unsafe) private static let runs: [String: Target] = [
    "configuration": Target(file: { path in
      for task in [RunTask.tvr, .tvqa, .tvc, .pretrain] {
        let (run, _) = try RunConfiguration.load(task: task, file: path, arguments: [])
        if task == .pretrain { _ = try run.pretrainingTargets() }
      }
    }),
    "hyperparameters": Target(file: { _ = try RunConfiguration.read(hyperparameters: $0) }),
    "captions": Target(file: { _ = try CaptionRow.read(path: $0) }),
    "bench-history": Target(file: { _ = try BenchRecord.read(path: $0) }),
  ]
}
