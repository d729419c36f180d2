import Formats
import Foundation
import Fuzzing

@testable import Text

/// Every reader of `Formats` and `Text`, by name.
extension Target {
  /// The limit of a decompressed value, since megabytes would only slow down fuzzing.
  private static let limit = 1 << 20

  nonisolated(unsafe) static let arrays: [String: Target] = [
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

  nonisolated(unsafe) static let weights: [String: Target] = [
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

  /// Readers of records; a value that is written and read again stays the same.
  nonisolated(unsafe) static let records: [String: Target] = [
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
    "lmdb": Target(file: { path in
      let store = try LMDBReader(path: path)
      // Keys may lie anywhere in the file, and other bytes also lead down the tree.
      let bytes = try FileBytes.read(path: path)
      for start in stride(from: 0, to: bytes.count, by: 1 + bytes.count / 200) {
        _ = try store.get(key: Array(bytes[start...].prefix(8)))
      }
      _ = try store.get("absent")
    }),
  ]

  nonisolated(unsafe) static let text: [String: Target] = [
    "vocabulary": Target(file: { _ = try TokenizerFiles.vocabulary(at: $0) }),
    "merges": Target(file: { _ = try TokenizerFiles.merges(at: $0) }),
    // The tokens of any text decode to a text that can be encoded.
    "tokenizer": Target { bytes in
      let text = String(decoding: bytes, as: UTF8.self)
      _ = tokenizer.encodeSubtitle(text)
      let spelt = tokenizer.decode(tokenizer.encodeQuery(text))
      _ = tokenizer.encode(spelt)
    },
  ]
}
